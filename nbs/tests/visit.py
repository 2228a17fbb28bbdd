"""Uses the generator's page in a browser as a visitor would, and prints what it measured as JSON:
python visit.py URL BROWSER web|lab PROMPT WORD PICTURES, where PICTURES names screenshots without an ending, or is empty."""
import io, json, re, sys, time
from PIL import Image
from playwright.sync_api import sync_playwright

url, browser, kind, prompt, word, pictures = sys.argv[1:]
origin = "/".join(url.split("/")[:3])
measured, errors, shots = {}, [], []

def note(message): # an error in the browser's console; what comes from another address is not ours
    if message.type == "error" and message.location["url"].startswith((origin, "about:")): errors.append(f"{message.text} {message.location}")

def text(page): return page.evaluate("document.body.innerText")
def button(page, name): return page.get_by_role("button", name=name)
def shoot(page):
    if pictures: shots.append(page.screenshot())
def keep(page, name):
    if pictures: page.screenshot(path=f"{pictures}{name}.png", full_page=True)

def until(page, pattern, seconds=120):
    "Wait until the page says it."
    end = time.time() + seconds
    while not (found := re.search(pattern, text(page))):
        assert time.time() < end, f"waited for {pattern!r}:\n{text(page)[-1500:]}"
        time.sleep(0.1)
    return found.group(0)

def until_ready(page):
    "Wait until Generate can be clicked again."
    end = time.time() + 120
    while not button(page, "Generate").is_enabled():
        assert time.time() < end, text(page)[-1500:]
        time.sleep(0.1)

def whole_run(page):
    until(page, r"Step \d+ of"); until(page, "20 steps in"); until_ready(page)

def bytes_of(page, i):
    "What the i-th picture of the page shows now."
    return page.evaluate("""async i => { const e = document.querySelectorAll('.t2i img')[i], b = await (await fetch(e.src)).arrayBuffer();
        return btoa(Array.from(new Uint8Array(b), c => String.fromCharCode(c)).join('')) }""", i)

def open_page(chromium):
    "A visitor with a window of their own; in JupyterLab the notebook's cell is run."
    page = chromium.new_context(viewport=dict(width=1000, height=930), accept_downloads=True).new_page()
    page.on("console", note); page.on("pageerror", lambda e: errors.append(str(e)))
    page.goto(url, timeout=180_000)
    if kind == "lab":
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=180_000)
        page.locator(".jp-NotebookPanel .cm-content").first.click()
        time.sleep(2)
        page.keyboard.press("Shift+Enter")
    button(page, "Generate").wait_for(timeout=180_000)
    return page

def make(page):
    "An empty prompt and its message; then a prompt, and its pictures as they come."
    button(page, "Generate").click(); until(page, "The prompt is empty: say what to draw"); until_ready(page)
    page.get_by_placeholder("what to draw, for instance").fill(prompt)
    start = time.time(); button(page, "Generate").click()
    until(page, r"Step \d+ of")
    measured["first_picture_s"] = time.time() - start
    while kind == "web" and "s left" in text(page): shoot(page); time.sleep(0.25)
    until(page, "20 steps in"); page.locator("a.t2i-keep").first.wait_for(timeout=60_000); until_ready(page)
    measured["pictures_s"] = time.time() - start
    inside, shown = page.evaluate("(e => [e.naturalWidth, e.getBoundingClientRect().width])(document.querySelector('.t2i img'))")
    assert inside >= 2 * 192 and shown >= 2 * 192 - 10, (inside, shown)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "a horizontal scroll bar"
    shoot(page); keep(page, "")

def watch(page):
    "Move the slider by keyboard, choose a word, play: the pixels change."
    last = bytes_of(page, 0), bytes_of(page, 1)
    page.locator(".t2i .widget-hslider:has-text('Timestep') .noUi-handle").first.focus()
    for _ in range(8): page.keyboard.press("ArrowLeft")
    time.sleep(1); shoot(page)
    now = bytes_of(page, 0), bytes_of(page, 1)
    assert now[0] != last[0] and now[1] != last[1], "the slider moved, and the pictures did not"
    page.get_by_role("button", name=word, exact=True).click()
    time.sleep(1); shoot(page)
    assert bytes_of(page, 1) != now[1] and bytes_of(page, 0) == now[0], "a word was chosen, and its attention is not seen"
    button(page, "(none)").click()
    page.evaluate("""() => { window.changes = 0; new MutationObserver(m => window.changes += m.length)
        .observe(document.querySelectorAll('.t2i img')[0], {attributes: true, attributeFilter: ['src']}) }""")
    play = page.locator(".t2i .jupyter-widget-play button, .t2i .widget-play button").first
    play.click(); time.sleep(0.5)
    first, start = page.evaluate("window.changes"), time.time()
    for _ in range(6): time.sleep(0.5); shoot(page)
    measured["frames_per_s"] = (page.evaluate("window.changes") - first) / (time.time() - start)
    play.click()

def take_home(page):
    "Save the animation, and open it."
    with page.expect_download() as download: page.locator("a.t2i-keep", has_text="animation").click()
    with Image.open(download.value.path()) as gif: measured["gif_frames"] = gif.n_frames
    assert measured["gif_frames"] == 21, measured # twenty steps and the result

def stop_and_go(page):
    "Stop in the middle, then generate again."
    page.locator(".t2i input[type=number]").first.fill("7"); page.keyboard.press("Tab")
    button(page, "Generate").click(); until(page, r"Step ([2-9]|1\d) of"); button(page, "Stop").click()
    measured["stopped"] = until(page, r"Stopped after step \d+ of 20"); until_ready(page)
    page.get_by_placeholder("what to draw, for instance").press("Enter"); whole_run(page)

def other_tabs(page):
    "What lies between two prompts, and the way into the noise, of the house and of a picture of ours."
    page.get_by_role("tab", name="Between two prompts").click()
    button(page, "Draw what lies between").click(); whole_run(page); keep(page, "_between")
    page.get_by_role("tab", name="Into the noise").click()
    until(page, r"signal 0\.\d+"); keep(page, "_forward")
    house = page.locator(".t2i img:visible").nth(2).get_attribute("src")
    with page.expect_file_chooser() as chooser: page.locator(".t2i button:has-text('Upload')").click()
    Image.new("RGB", (90, 60), "teal").save(uploaded := io.BytesIO(), format="PNG")
    chooser.value.set_files(dict(name="teal.png", mimeType="image/png", buffer=uploaded.getvalue()))
    end = time.time() + 20
    while page.locator(".t2i img:visible").nth(2).get_attribute("src") == house: assert time.time() < end, "the uploaded picture is not shown"; time.sleep(0.1)

def four_at_once(chromium, page):
    "Three more visitors come, and all draw."
    visitors = [page] + [open_page(chromium) for _ in range(3)]
    for visitor in visitors: visitor.get_by_placeholder("what to draw, for instance").fill(prompt)
    start = time.time()
    for visitor in visitors: button(visitor, "Generate").click()
    for visitor in visitors: until(visitor, r"Step \d+ of")
    for visitor in visitors: until(visitor, "20 steps in")
    measured["four_visitors_s"] = time.time() - start

with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
    start = time.time()
    page = open_page(chromium)
    measured["controls_s"] = time.time() - start
    shoot(page)
    make(page); watch(page); take_home(page); stop_and_go(page); other_tabs(page)
    if kind == "web": four_at_once(chromium, page)
    chromium.close()
if shots:
    frames = [Image.open(io.BytesIO(s)).convert("RGB").resize((600, 558)).quantize(128, dither=Image.Dither.NONE) for s in shots]
    frames[0].save(pictures + ".gif", save_all=True, append_images=frames[1:], duration=[1000] + [350] * (len(frames) - 2) + [2000], loop=0)
assert not errors, errors
print(json.dumps({key: round(value, 1) if isinstance(value, float) else value for key, value in measured.items()}))
