"""A page for the user's eyes: in the web browser, or its address where there is none."""

from hkcli.cli.context import Run


def show_page(
    run: Run, url: str, *, only_print: bool = False, as_json: bool = False, browser: str | None = None
) -> None:
    """`as_json` prints the address and opens nothing: a script asked. What else goes to stdout as JSON stays alone."""
    if as_json:
        run.out.json({"url": url})
        return
    if only_print:
        run.out.line(url)
        return
    import webbrowser

    run.out.talk(f"Opening {url}")
    try:
        is_open = webbrowser.get(browser).open(url) if browser else webbrowser.open(url)
    except webbrowser.Error:
        is_open = False
    if not is_open:
        run.out.warn(f"{browser or 'No web browser'} could {'not ' if browser else ''}be started.")
        (run.out.err if run.as_json else run.out.line)(url)
