"""The console: what the local stack does, told to a page in the browser, and the files of that page."""
