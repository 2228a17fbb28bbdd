"""Uses the generator's page in a browser as a visitor would, and prints what it measured as JSON:
python visit.py URL BROWSER web|lab PROMPT WORD [IMAGES [STATES]]. IMAGES names README's screenshot and animation without
an ending; STATES is a folder for screenshots of every state, light and dark, 1000 and 400 pixels wide."""
import base64
import io
import json
import re
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import TimeoutError, sync_playwright

url, browser, kind, prompt, word, images, states = (sys.argv[1:] + ["", ""])[:7]
origin = "/".join(url.split("/")[:3])
measured, errors, shots = {}, [], []
STEPS = 20 if images else 6 # of most runs here
COUNT = 4 if images else 2 # images of most runs


def note(message):
    "An error in the browser's console; what comes from another address is not ours."
    if message.type == "error" and message.location["url"].startswith((origin, "about:")):
        errors.append(f"{message.text} {message.location}")


def text(page):
    return page.evaluate("document.body.innerText")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def prompt_box(page):
    return page.get_by_placeholder("for instance")


def wait_for(true, seconds, what):
    end = time.time() + seconds
    while not (answer := true()):
        assert time.time() < end, f"waited {seconds} s for {what}"
        time.sleep(0.2)
    return answer


def until(page, pattern, seconds=120):
    "Wait until the page says it."
    try:
        return wait_for(lambda: re.search(pattern, text(page)), seconds, pattern).group(0)
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{text(page)[-1500:]}") from None


NOTE_RUNS = """button => { // a short run may be over before the next look at the button
    new MutationObserver(() => { window.runBegan ||= button.disabled }).observe(button, {attributes: true}) }"""


def until_ready(page):
    wait_for(lambda: button(page, "Generate").is_enabled(), 240, "Generate to be clickable again")
    page.evaluate("window.runBegan = false")


def until_over(page):
    "Until a run that has just begun is over."
    wait_for(lambda: page.evaluate("window.runBegan"), 30, "the run to begin")
    until_ready(page)
    until(page, r"\d steps in")


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def choose(page, label, value):
    "Type the value of a slider."
    readout = page.locator(f".t2i .widget-hslider:has-text('{label}') .widget-readout").first
    readout.fill(str(value))
    readout.press("Enter")


def seen(page):
    return page.locator(".t2i-view img").nth(0)


def estimate(page):
    return page.locator(".t2i-view img").nth(1)


def file_of(image):
    "An image of the page, as a file."
    content = image.evaluate("""async image => {
        const buffer = await (await fetch(image.src)).arrayBuffer()
        return btoa(Array.from(new Uint8Array(buffer), c => String.fromCharCode(c)).join('')) }""")
    return base64.b64decode(content)


def pixels(image, side, count=1):
    "The first image of a grid at its own size, [side, side, 3]."
    whole = Image.open(io.BytesIO(file_of(image))).convert("RGB")
    columns = int(np.ceil(count**0.5))
    edge = (whole.width + 6) // columns - 6 if count > 1 else whole.width
    one = whole.crop((0, 0, edge, edge)).resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(one).astype(int)


def marker(page):
    "Where the marker stands on the log-SNR curve."
    return page.locator(".t2i svg circle").first.get_attribute("cx")


def marked(page):
    "Which image of the strip is marked."
    return page.locator(".t2i-strip .t2i-now").inner_text()


def shown(page):
    return file_of(seen(page)), file_of(estimate(page)), marker(page), marked(page)


def no_scroll_bar(page):
    wide = page.evaluate("""[...document.querySelectorAll('html, #rendered_cells, .t2i')]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.id || e.className)""")
    assert not wide, f"a horizontal scroll bar: {wide}"


def enough_contrast(page):
    "Every text that is seen and can be used has a contrast of at least 4.5 to what is behind it."
    low = page.evaluate("""() => {
        const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1})
            .getContext('2d', {willReadFrequently: true})
        const over = (...colours) => { // the colour that results, each painted over those before it
            context.clearRect(0, 0, 1, 1)
            for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1) }
            return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3) }
        const light = rgb => { const [r, g, b] = rgb.map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            return 0.2126 * r + 0.7152 * g + 0.0722 * b }
        const found = []
        for (const e of document.querySelectorAll('.t2i *')) {
            const own = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) || e.matches('input, select')
            if (!own || !e.checkVisibility() || e.disabled || e.closest('svg, style')) continue
            const behind = []
            for (let p = e; p; p = p.parentElement) behind.unshift(getComputedStyle(p).backgroundColor)
            const back = over('white', ...behind), front = over('white', ...behind, getComputedStyle(e).color)
            const [a, b] = [light(back), light(front)].sort((x, y) => x - y)
            if ((b + 0.05) / (a + 0.05) < 4.5) found.push([e.innerText || e.value, back, front].join(' '))
        }
        return found }""")
    assert not low, low


def shoot(page):
    "A frame of the animation."
    if images:
        shots.append(page.screenshot())


def begun(cell):
    "Press Control+Enter in a cell of JupyterLab, which ignores keys until it is ready; whether the cell runs now."
    cell.locator(".cm-content").click()
    cell.page.keyboard.press("Control+Enter")
    try:
        cell.locator(".jp-InputPrompt").filter(has_not_text="[ ]:").wait_for(timeout=10_000)
        return True
    except TimeoutError:
        return False


def open_page(chromium, width=1000, scheme="light", height=960):
    "A visitor with a window of their own; in JupyterLab the notebook's cell is run."
    window = dict(width=width, height=height)
    context = chromium.new_context(viewport=window, color_scheme=scheme, accept_downloads=True)
    page = context.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url, timeout=180_000)
    if kind == "lab":
        cell = page.locator(".jp-NotebookPanel .jp-Cell").first
        cell.wait_for(timeout=180_000)
        wait_for(lambda: begun(cell), 180, "the cell to run")
        assert page.evaluate("document.body.dataset.jpThemeLight") == "false", "the theme is dark"
    button(page, "Generate").wait_for(timeout=180_000)
    button(page, "Generate").evaluate(NOTE_RUNS)
    return page


def generate(page):
    "An empty prompt and its message; then a prompt, and its images as they come."
    button(page, "Generate").click()
    until(page, "The prompt is empty: say what to generate")
    until_ready(page)

    if not images:
        choose(page, "Images", COUNT)
        choose(page, "Steps", STEPS)
    prompt_box(page).fill(prompt)
    start = time.time()
    button(page, "Generate").click()
    until(page, r"Step \d+ of|\d steps in")
    measured["first_image_s"] = time.time() - start
    while images and "s left" in text(page):
        shoot(page)
        time.sleep(0.25)
    page.locator("a.t2i-keep").first.wait_for(timeout=120_000)
    until_ready(page)
    measured["images_s"] = time.time() - start
    no_scroll_bar(page)
    enough_contrast(page)
    shoot(page)
    if images:
        page.screenshot(path=f"{images}.png")


def watch(page):
    "The strip, the slider, the marker and both images move together."
    last = shown(page)
    page.locator(".t2i-strip button").nth(1).click()
    wait_for(lambda: marked(page) != last[3], 20, "the mark in the strip")
    time.sleep(0.5)
    early = shown(page)
    assert all(a != b for a, b in zip(last, early)), "a click on the strip did not move everything"
    assert page.locator(".t2i-transport .widget-readout").inner_text() == f"t = {early[3].strip()}"
    shoot(page)

    page.locator(".t2i-transport .noUi-handle").focus()
    for _ in range(STEPS // 2):
        page.keyboard.press("ArrowRight")
    time.sleep(1)
    shoot(page)
    late = shown(page)
    assert all(a != b for a, b in zip(early, late)), "the slider did not move everything"
    play(page)


def play(page):
    "The player's clock: how many frames a second reach the page?"
    seen(page).evaluate("""image => { window.changes = 0
        new MutationObserver(changed => window.changes += changed.length)
            .observe(image, {attributes: true, attributeFilter: ['src']}) }""")
    start_stop = page.locator(".t2i .jupyter-widget-play button, .t2i .widget-play button").first
    start_stop.click()
    time.sleep(0.3)
    first, start = page.evaluate("window.changes"), time.time()
    for _ in range(6 if images else 3):
        time.sleep(0.5)
        shoot(page)
    measured["frames_per_s"] = (page.evaluate("window.changes") - first) / (time.time() - start)
    start_stop.click()


def words(page):
    "The map of a word over the image; or, where there is none to see, a sentence."
    tab(page, "Words")
    until(page, "Press a word|nearly even")
    shoot(page)
    if "nearly even" in text(page):
        assert page.locator(".t2i-words img:visible").count() == 0, "maps that show nothing are not shown"
        return
    generated, heat = page.locator(".t2i-view img:visible").nth(0), page.locator(".t2i-view img:visible").nth(1)
    before = file_of(generated)
    maps = []
    others = [name for name in page.locator(".t2i-words button").all_inner_texts() if name != word]
    for name in [word, *others[:1]]:
        button(page, name).click()
        until(page, f"Attention to “{name}”")
        time.sleep(0.3)
        maps.append(file_of(heat))
    assert len(set(maps)) == len(maps) and file_of(generated) == before, "a word's map changes, the image does not"
    enough_contrast(page)


def download(page):
    "Save image, animation and settings, and open them."
    saved = {}
    for name in ("image", "animation", "settings"):
        with page.expect_download() as waiting:
            page.locator("a.t2i-keep:visible", has_text=name).click()
        saved[name] = Path(waiting.value.path()).read_bytes()
    with Image.open(io.BytesIO(saved["animation"])) as gif:
        assert gif.n_frames == STEPS + 1, gif.n_frames # the steps and the result
    assert json.loads(saved["settings"])["arguments"]["prompt"] == prompt
    return saved["image"]


def same_again(page):
    "The same settings once more: the same image, byte for byte."
    tab(page, "Watch")
    image = download(page)
    button(page, "Generate").click()
    until_over(page)
    assert download(page) == image, "the same settings gave another image"


def stop_and_go(page):
    "Stop in the middle, then generate again, with Enter."
    choose(page, "Images", 8) # long enough to be stopped on a fast machine
    choose(page, "Steps", 100)
    button(page, "Generate").click()
    until(page, r"Step \d+ of 100")
    button(page, "Stop").click()
    measured["stopped"] = until(page, r"Stopped after step \d+ of 100")
    until_ready(page)
    choose(page, "Images", COUNT)
    choose(page, "Steps", STEPS)
    prompt_box(page).press("Enter")
    until_over(page)


def compare(page, side):
    "Two guidance scales from one noise; the second becomes the main run, with the same image."
    tab(page, "Compare")
    page.get_by_label("Values").fill("1, 6")
    button(page, "Compare").click()
    until_over(page)
    one, other = (pixels(page.locator(".t2i-large:visible img").nth(i), side) for i in (0, 1))
    assert abs(one - other).max() > 3, "another guidance scale gave the same image"
    shoot(page)
    page.locator(".t2i-large:visible button").nth(1).click()
    until_over(page)
    assert page.locator(".widget-hslider:has-text('Guidance') .widget-readout").inner_text() == "6.0"
    main = pixels(estimate(page), side, 4 if images else 2)
    assert abs(main - other).max() <= 3, "the main run is not the image that was pressed"


def edit(page, side):
    "Paint a mask with the mouse: what is under it changes, and nothing else."
    tab(page, "Edit")
    canvas = page.locator(".t2i-paint canvas")
    canvas.wait_for(timeout=20_000)
    canvas.focus()
    page.keyboard.press("Tab")
    wait_for(lambda: page.evaluate("document.activeElement.tagName") == "SELECT", 20, "the canvas to pass Tab on")
    before = pixels(page.locator(".t2i-paint img"), side)
    canvas.scroll_into_view_if_needed()
    place = canvas.bounding_box()
    x, y, size = place["x"], place["y"], place["width"]
    page.mouse.move(x + 0.35 * size, y + 0.4 * size)
    page.mouse.down()
    for part in (0.4, 0.45, 0.5, 0.55, 0.6):
        page.mouse.move(x + part * size, y + 0.5 * size)
        time.sleep(0.05)
    page.mouse.up()
    time.sleep(0.5)
    shoot(page)
    painted = canvas.evaluate("canvas => canvas.toDataURL()").split(",")[1]
    painted = Image.open(io.BytesIO(base64.b64decode(painted))).getchannel("A")
    painted = np.asarray(painted.resize((side, side), Image.Resampling.BOX)) > 0
    assert 0.01 < painted.mean() < 0.3, painted.mean()

    prompt_box(page).fill("a lemon" if images else "a small green square on a white background")
    button(page, "Edit").click()
    until_over(page)
    shoot(page)
    after = pixels(page.locator(".t2i-view img:visible").nth(1), side, 4 if images else 2)
    changed = abs(after - before).max(-1) > 0
    assert changed.any(), "nothing changed under the mask"
    assert not (changed & ~painted).any(), "something changed where nothing was painted"
    page.get_by_label("Mask").select_option("nothing: all of it may change")
    time.sleep(0.5)
    empty = canvas.evaluate("""canvas => canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data.every(value => value == 0)""")
    assert empty, "the mask is gone from the canvas"
    prompt_box(page).fill(prompt)


def other_tabs(page):
    "What lies between two prompts, and the way into the noise, of the house and of an image of ours."
    tab(page, "Between")
    button(page, "Go").click()
    until_over(page)
    assert page.locator(".t2i-thumbs:visible img").count() == 7
    tab(page, "Noise")
    until(page, r"signal 0\.\d+")

    target = page.locator(".t2i-four img").nth(2)
    house = target.get_attribute("src")
    with page.expect_file_chooser() as chooser:
        page.locator(".t2i button:visible:has-text('Upload')").click()
    file = io.BytesIO()
    Image.new("RGB", (90, 60), "teal").save(file, format="PNG")
    chooser.value.set_files(dict(name="teal.png", mimeType="image/png", buffer=file.getvalue()))
    wait_for(lambda: target.get_attribute("src") != house, 20, "the uploaded image")


def focused(page):
    "What has the focus, and whether one can see that."
    return page.evaluate("""() => { const e = document.activeElement, style = getComputedStyle(e)
        return [e.innerText || e.placeholder || e.getAttribute('role') || '', e.closest('.t2i') != null,
                style.outlineStyle == 'solid' && parseFloat(style.outlineWidth) >= 2] }""")


def tab_to(page, wanted, most=60):
    "Press Tab until something has the focus; it must be visible on all the way."
    for _ in range(most):
        page.keyboard.press("Tab")
        name, ours, visible = focused(page)
        assert visible or not ours, f"{name!r} has the focus, and nothing shows it"
        if re.match(wanted, name):
            return
    raise AssertionError(f"the Tab key does not lead to {wanted}")


def keyboard_only(page):
    "On a telephone's 400 pixels, in the dark, without a mouse."
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60, f"{background} is not dark"
    no_scroll_bar(page)
    assert prompt_box(page).bounding_box()["y"] < seen(page).bounding_box()["y"], "the controls come first"
    tab_to(page, "for instance")
    page.keyboard.type(prompt)
    tab_to(page, "Settings")
    page.keyboard.press("Space")
    tab_to(page, "slider")
    page.keyboard.press("Home")
    tab_to(page, "slider")
    for _ in range(14 if not images else 0):
        page.keyboard.press("ArrowLeft")
    prompt_box(page).focus()
    page.keyboard.press("Enter")
    until_over(page)
    last = shown(page)
    tab_to(page, "Watch")
    tab_to(page, "999")
    page.keyboard.press("Enter")
    wait_for(lambda: marked(page) != last[3], 20, "the first step")
    time.sleep(0.5)
    assert all(a != b for a, b in zip(last, shown(page)))
    page.get_by_role("tab", name="Watch").focus()
    for name in ("Words", "Compare"):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
    tab_to(page, "Compare$")
    no_scroll_bar(page)
    enough_contrast(page)


def four_at_once(chromium, page, other):
    "Two more visitors come, and all generate."
    visitors = [page, other] + [open_page(chromium) for _ in range(2)]
    for visitor in visitors[2:]:
        choose(visitor, "Images", 1)
        choose(visitor, "Steps", STEPS)
    for visitor in visitors:
        prompt_box(visitor).fill(prompt)
    start = time.time()
    for visitor in visitors:
        button(visitor, "Generate").click()
    for visitor in visitors:
        until_ready(visitor)
        until(visitor, r"\d steps in")
    measured["four_visitors_s"] = time.time() - start


def every_state(chromium):
    "Screenshots: empty, running, stopped, done, error, and every tab; light and dark, wide and narrow."
    folder = Path(states)
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        for width, height in ((1000, 900), (400, 1500)):
            page = open_page(chromium, width, scheme, height)
            def keep(name):
                time.sleep(0.5)
                no_scroll_bar(page)
                enough_contrast(page)
                page.screenshot(path=folder / f"{name}_{scheme}_{width}.png")

            keep("empty")
            button(page, "Generate").click()
            until(page, "The prompt is empty")
            until_ready(page)
            keep("error")
            prompt_box(page).fill(prompt)
            button(page, "Generate").click()
            until(page, r"Step ([5-9]|1\d) of")
            keep("running")
            button(page, "Stop").click()
            until(page, "Stopped after")
            until_ready(page)
            keep("stopped")
            button(page, "Generate").click()
            until_over(page)
            keep("done")
            page.locator(".t2i-strip button").nth(3).click()
            keep("early")
            tab(page, "Words")
            keep("words")
            tab(page, "Compare")
            button(page, "Compare").click()
            until_over(page)
            keep("compare")
            tab(page, "Edit")
            page.get_by_label("Mask").select_option("the middle")
            button(page, "Edit").click()
            until_over(page)
            keep("edit")
            tab(page, "Between")
            button(page, "Go").click()
            until_over(page)
            keep("between")
            tab(page, "Noise")
            until(page, r"signal 0\.\d+")
            keep("noise")
            page.context.close()


def save_animation():
    "The visit as a GIF: at most sixteen screenshots, so that the file stays small."
    chosen = shots[:-1:-(-len(shots) // 15)] + shots[-1:]
    frames = [Image.open(io.BytesIO(shot)).convert("RGB").resize((600, 576)) for shot in chosen]
    frames = [frame.quantize(128, dither=Image.Dither.NONE) for frame in frames]
    durations = [1000] + [450] * (len(frames) - 2) + [2000]
    frames[0].save(images + ".gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)


with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
    start = time.time()
    page = open_page(chromium)
    measured["controls_s"] = time.time() - start
    no_scroll_bar(page)
    enough_contrast(page)
    shoot(page)
    side = int(re.search(r"(\d+)×\d+ pixels", text(page)).group(1))
    generate(page)
    watch(page)
    words(page)
    compare(page, side)
    edit(page, side)
    if images:
        save_animation()
    if kind == "web":
        same_again(page)
        stop_and_go(page)
        other_tabs(page)
        other = open_page(chromium, 400, "dark")
        keyboard_only(other)
        four_at_once(chromium, page, other)
    if states:
        every_state(chromium)
    chromium.close()
assert not errors, errors
print(json.dumps({key: round(value, 1) if isinstance(value, float) else value for key, value in measured.items()}))
