"""The router: what answers at http://APP.localhost:PORT/ and hands requests to the app's web dynos."""
