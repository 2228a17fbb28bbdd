// Formulas are $...$ and $$...$$, as in a notebook.
window.MathJax = {
  tex: {
    inlineMath: [["$", "$"], ["\\(", "\\)"]],
    displayMath: [["$$", "$$"], ["\\[", "\\]"]],
    processEscapes: true,
    processEnvironments: true,
  },
  options: { ignoreHtmlClass: "highlight|highlight-ipynb|jp-OutputArea|md-search|md-nav" },
}
