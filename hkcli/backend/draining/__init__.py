"""Log drains at work: each line of an app's log, sent on to where its owner keeps logs."""
