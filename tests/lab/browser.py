"""A real browser without a window: Debian's chromium, that looks at a file and tells what it sees."""
import html
import json
import os
import re
import shutil
import subprocess

# Runs beside the page, which has no script and is allowed none: it is looked at from outside.
LOOK = '''<!DOCTYPE html><meta charset="utf-8"><style>body{{margin:0}}iframe{{border:0}}</style>
<iframe id="page" src="{url}" width="{width}" height="900"></iframe><pre id="seen"></pre><script>
const frame = document.getElementById('page');
function rgb(text) {{ const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; }}
function light(c) {{
  const [r, g, b] = c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
}}
function behind(element, view) {{
  for (let e = element; e; e = e.parentElement) {{
    const c = rgb(view.getComputedStyle(e).backgroundColor);
    if (c[3] > 0) return c;
  }}
  return [255, 255, 255, 1];
}}
frame.addEventListener('load', () => {{
  const view = frame.contentWindow, page = frame.contentDocument, pale = [];
  for (const e of page.querySelectorAll('body *')) {{
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    const svg = e instanceof view.SVGElement;
    if (!own || e.tagName === 'title') continue;
    const style = view.getComputedStyle(e);
    const a = light(rgb(svg ? style.fill : style.color)), b = light(behind(svg ? e.closest('svg').parentElement : e, view));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (contrast < 4.5) pale.push(e.textContent.slice(0, 40) + ' ' + contrast.toFixed(2));
  }}
  document.getElementById('seen').textContent = JSON.stringify({{
    title: page.title, text: page.body.innerText, wide: page.documentElement.scrollWidth, pale,
    loaded: view.performance.getEntriesByType('resource').map(r => r.name),
    scripts: page.scripts.length, bold: page.querySelectorAll('td b, h3 b, td script, td img').length,
    curves: [...page.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height),
    areas: [...page.querySelectorAll('path.sure')].map(s => s.getBoundingClientRect().width)}});
}});
</script>'''


def find():
    return shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')


def look(lab, path, width=1280, dark=False):
    """What is seen of an HTML file in a window of that width."""
    name = f'look-{width}-{"dark" if dark else "light"}.html'
    wrapper, home = lab.path(name), lab.path('browser-' + name)
    os.makedirs(home, exist_ok=True)
    with open(wrapper, 'w', encoding='utf-8') as f:
        f.write(LOOK.format(url='file://' + path, width=width))
    done = subprocess.run(
        [find(), '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
         '--disable-background-networking', '--disable-web-security', '--allow-file-access-from-files',
         f'--user-data-dir={home}', f'--blink-settings=preferredColorScheme={0 if dark else 1}',
         '--window-size=1400,1000', '--virtual-time-budget=10000', '--dump-dom', 'file://' + wrapper],
        env={'PATH': '/usr/bin:/bin', 'HOME': home, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'}, text=True,
        encoding='utf-8', capture_output=True, timeout=120, check=False)
    seen = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.S)
    if not seen or not seen[1]:
        raise RuntimeError(f'the browser saw nothing: {done.returncode} {done.stderr[-800:]}')
    return json.loads(html.unescape(seen[1]))
