"""The lab: real mail servers and a real name server on loopback, for the tests and the demo.

Nothing is installed, nothing outside a temporary folder is written, and whatever was started is
ended when its Lab is closed, also after a failure, SIGINT or SIGTERM.
"""
