"""What the frameworks' tests ask of CherryPy, in its own tree of applications."""

import hashlib

import cherrypy


class Root:
    @cherrypy.expose
    def index(self):
        return "<h1>Grüße from CherryPy</h1>"

    @cherrypy.expose
    def form(self, name, likes):
        return f"{name} likes {', '.join(likes)}"

    @cherrypy.expose
    def upload(self, file):
        return f"{file.filename} {hashlib.sha256(file.file.read()).hexdigest()}"

    @cherrypy.expose
    @cherrypy.config(**{"response.stream": True})
    def download(self):
        cherrypy.response.headers["Content-Type"] = "application/octet-stream"
        return (b"%07d\n" % number for number in range(300_000))

    @cherrypy.expose
    def count(self):
        cherrypy.session["count"] = cherrypy.session.get("count", 0) + 1
        return str(cherrypy.session["count"])

    @cherrypy.expose
    def raw(self):
        return str(len(cherrypy.request.body.read()))

    @cherrypy.expose
    def link(self, a):
        return cherrypy.url(qs=cherrypy.request.query_string)


cherrypy.config.update({"log.screen": False, "environment": "embedded"})
cherrypy.tree.mount(Root(), "/cherrypy", {"/": {"tools.encode.on": True, "tools.sessions.on": True}})
tree = cherrypy.tree
