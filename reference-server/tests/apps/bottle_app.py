"""What the frameworks' tests ask of Bottle."""

import hashlib

from bottle import Bottle, request, response

app = Bottle()
SECRET = "only for tests"


@app.get("/")
def page():
    return "<h1>Grüße from Bottle</h1>"


@app.post("/form")
def form():
    return f"{request.forms.name} likes {', '.join(request.forms.getall('likes'))}"


@app.post("/upload")
def upload():
    file = request.files["file"]
    return f"{file.filename} {hashlib.sha256(file.file.read()).hexdigest()}"


@app.get("/download")
def download():
    response.content_type = "application/octet-stream"
    return (b"%07d\n" % number for number in range(300_000))


@app.get("/count")
def count():
    number = int(request.get_cookie("count", "0", secret=SECRET)) + 1
    response.set_cookie("count", str(number), secret=SECRET, path="/")
    return str(number)


@app.post("/raw")
def raw():
    return str(len(request.body.read()))


@app.get("/link")
def link():
    return request.url
