"""The web pages of add-ons; so far Delayed Job's status screen.

access.py lets people in, watch.py reads an app's jobs once for all who look, charts.py and pages.py show it, and
`routes/dashboard.py` is where it is reached.
"""
