"""A Heroku-style command-line client, and a backend that speaks Heroku's Platform API v3 on one machine."""

__version__ = "0.1.0"
