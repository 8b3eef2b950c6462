"""The web pages of add-ons; so far Delayed Job's status screen.

links.py and access.py let people in; watch.py has an app's jobs read once for all who look, by book.py; charts.py and
pages.py show them; jobs.py is for single ones; `routes/dashboard.py` is where all of it is reached.
"""
