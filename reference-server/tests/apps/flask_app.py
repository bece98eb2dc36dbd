"""What the frameworks' tests ask of Flask."""

import hashlib

from flask import Flask, Response, request, session

app = Flask(__name__)
app.secret_key = "only for tests"


@app.get("/")
def page():
    return "<h1>Grüße from Flask</h1>"


@app.post("/form")
def form():
    return f"{request.form['name']} likes {', '.join(request.form.getlist('likes'))}"


@app.post("/upload")
def upload():
    file = request.files["file"]
    return f"{file.filename} {hashlib.sha256(file.read()).hexdigest()}"


@app.get("/download")
def download():
    return Response((b"%07d\n" % number for number in range(300_000)), mimetype="application/octet-stream")


@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.post("/raw")
def raw():
    return str(len(request.data))


@app.get("/link")
def link():
    return request.url
