// Replaces the link in the browser's history by the page that it opened.
"use strict";
addEventListener("DOMContentLoaded", () => location.replace(document.getElementById("target").href));
