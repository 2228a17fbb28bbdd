"""Uses the generator's page in a browser as a visitor would, and prints what it measured as JSON:
python visit.py URL BROWSER web|lab PROMPT WORD IMAGES, where IMAGES names screenshots without an ending, or is empty."""
import base64
import io
import json
import re
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

url, browser, kind, prompt, word, images = sys.argv[1:]
origin = "/".join(url.split("/")[:3])
measured, errors, shots = {}, [], []


def note(message):
    "An error in the browser's console; what comes from another address is not ours."
    if message.type == "error" and message.location["url"].startswith((origin, "about:")):
        errors.append(f"{message.text} {message.location}")


def text(page):
    return page.evaluate("document.body.innerText")


def button(page, name):
    return page.get_by_role("button", name=name)


def prompt_box(page):
    return page.get_by_placeholder("what to generate, for instance")


def wait_for(true, seconds, what):
    end = time.time() + seconds
    while not (answer := true()):
        assert time.time() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)
    return answer


def until(page, pattern, seconds=120):
    "Wait until the page says it."
    try:
        return wait_for(lambda: re.search(pattern, text(page)), seconds, pattern).group(0)
    except AssertionError as error:
        raise AssertionError(f"{error}:\n{text(page)[-1500:]}") from None


def until_ready(page):
    wait_for(lambda: button(page, "Generate").first.is_enabled(), 120, "Generate to be clickable again")


def whole_run(page):
    until(page, r"Step \d+ of")
    until(page, "20 steps in")
    until_ready(page)


def bytes_of(page, i):
    "The i-th image of the page, as a file."
    content = page.evaluate("""async i => {
        const image = document.querySelectorAll('.t2i img')[i]
        const buffer = await (await fetch(image.src)).arrayBuffer()
        return btoa(Array.from(new Uint8Array(buffer), c => String.fromCharCode(c)).join('')) }""", i)
    return base64.b64decode(content)


def marker(page):
    "Where the marker stands on the log-SNR curve."
    return float(page.locator(".t2i svg circle").first.get_attribute("cx"))


def no_scroll_bar(page):
    fits = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert fits, "a horizontal scroll bar"


def shoot(page):
    "A frame of the animation."
    if images:
        shots.append(page.screenshot())


def keep(page, name):
    if images:
        page.screenshot(path=f"{images}{name}.png", full_page=True)


def open_page(chromium):
    "A visitor with a window of their own; in JupyterLab the notebook's cell is run."
    page = chromium.new_context(viewport=dict(width=1000, height=960), accept_downloads=True).new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url, timeout=180_000)
    if kind == "lab":
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=180_000)
        page.locator(".jp-NotebookPanel .cm-content").first.click()
        time.sleep(2)
        page.keyboard.press("Shift+Enter")
    button(page, "Generate").first.wait_for(timeout=180_000)
    return page


def generate(page):
    "An empty prompt and its message; then a prompt, and its images as they come."
    button(page, "Generate").first.click()
    until(page, "The prompt is empty: say what to generate")
    until_ready(page)
    keep(page, "_error")

    prompt_box(page).fill(prompt)
    start = time.time()
    button(page, "Generate").first.click()
    until(page, r"Step \d+ of")
    measured["first_image_s"] = time.time() - start
    while kind == "web" and "s left" in text(page):
        shoot(page)
        time.sleep(0.25)
    until(page, "20 steps in")
    page.locator("a.t2i-keep").first.wait_for(timeout=60_000)
    until_ready(page)
    measured["images_s"] = time.time() - start

    measure = "(e => [e.naturalWidth, e.getBoundingClientRect().width])(document.querySelector('.t2i img'))"
    inside, shown = page.evaluate(measure)
    assert inside >= 2 * 192 and shown >= 2 * 192 - 10, (inside, shown)
    no_scroll_bar(page)
    shoot(page)
    keep(page, "")


def watch(page):
    "Move the slider by keyboard, choose a word, play: images and marker follow."
    last = bytes_of(page, 0), bytes_of(page, 1), marker(page)
    page.locator(".t2i .widget-hslider:has-text('Timestep') .noUi-handle").first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    time.sleep(1)
    shoot(page)
    now = bytes_of(page, 0), bytes_of(page, 1), marker(page)
    assert all(a != b for a, b in zip(last, now)), "the slider moved, and the images or the marker did not"

    page.get_by_role("button", name=word, exact=True).click()
    until(page, f"[Aa]ttention to “{word}”")
    time.sleep(1)
    shoot(page)
    keep(page, "_attention")
    even = "is even" in text(page)
    assert (bytes_of(page, 1) == now[1]) == even, "a map that shows something is shown, another one is not"
    assert bytes_of(page, 0) == now[0], "what the network saw has no attention"
    button(page, "(none)").click()
    play(page)


def play(page):
    "The player's clock: how many frames a second reach the page?"
    page.evaluate("""() => { window.changes = 0
        const image = document.querySelectorAll('.t2i img')[0]
        new MutationObserver(changed => window.changes += changed.length)
            .observe(image, {attributes: true, attributeFilter: ['src']}) }""")
    start_stop = page.locator(".t2i .jupyter-widget-play button, .t2i .widget-play button").first
    start_stop.click()
    time.sleep(0.5)
    first, start = page.evaluate("window.changes"), time.time()
    for _ in range(6):
        time.sleep(0.5)
        shoot(page)
    measured["frames_per_s"] = (page.evaluate("window.changes") - first) / (time.time() - start)
    start_stop.click()


def download(page):
    "Save image, animation and settings, and open them."
    saved = {}
    for name in ("image", "animation", "settings"):
        with page.expect_download() as waiting:
            page.locator("a.t2i-keep", has_text=name).click()
        saved[name] = Path(waiting.value.path()).read_bytes()
    with Image.open(io.BytesIO(saved["animation"])) as gif:
        measured["gif_frames"] = gif.n_frames
    assert measured["gif_frames"] == 21, measured # twenty steps and the result
    assert json.loads(saved["settings"])["arguments"]["prompt"] == prompt
    return saved["image"]


def same_again(page, image):
    "The same settings once more: the same image, byte for byte."
    button(page, "Generate").first.click()
    whole_run(page)
    assert download(page) == image, "the same settings gave another image"


def stop_and_go(page):
    "Stop in the middle, then generate again, with Enter."
    page.locator(".t2i input[type=number]").first.fill("7")
    page.keyboard.press("Tab")
    button(page, "Generate").first.click()
    until(page, r"Step ([2-9]|1\d) of")
    button(page, "Stop").click()
    measured["stopped"] = until(page, r"Stopped after step \d+ of 20")
    until_ready(page)
    keep(page, "_stopped")
    prompt_box(page).press("Enter")
    whole_run(page)


def other_tabs(page):
    "What lies between two prompts, and the way into the noise, of the house and of an image of ours."
    page.get_by_role("tab", name="Between two prompts").click()
    button(page, "Generate what lies between").click()
    whole_run(page)
    keep(page, "_between")
    page.get_by_role("tab", name="Into the noise").click()
    until(page, r"signal 0\.\d+")
    keep(page, "_noise")

    target = page.locator(".t2i img:visible").nth(2)
    house = target.get_attribute("src")
    with page.expect_file_chooser() as chooser:
        page.locator(".t2i button:has-text('Upload')").click()
    file = io.BytesIO()
    Image.new("RGB", (90, 60), "teal").save(file, format="PNG")
    chooser.value.set_files(dict(name="teal.png", mimeType="image/png", buffer=file.getvalue()))
    wait_for(lambda: target.get_attribute("src") != house, 20, "the uploaded image")


def four_at_once(chromium, page):
    "Three more visitors come, and all generate."
    visitors = [page] + [open_page(chromium) for _ in range(3)]
    for visitor in visitors:
        prompt_box(visitor).fill(prompt)
    start = time.time()
    for visitor in visitors:
        button(visitor, "Generate").first.click()
    for visitor in visitors:
        until(visitor, r"Step \d+ of")
    for visitor in visitors:
        until(visitor, "20 steps in", 240)
    measured["four_visitors_s"] = time.time() - start


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
    shoot(page)
    keep(page, "_empty")
    generate(page)
    watch(page)
    image = download(page)
    if kind == "web":
        same_again(page, image)
    stop_and_go(page)
    other_tabs(page)
    if kind == "web":
        four_at_once(chromium, page)
    chromium.close()
if shots:
    save_animation()
assert not errors, errors
print(json.dumps({key: round(value, 1) if isinstance(value, float) else value for key, value in measured.items()}))
