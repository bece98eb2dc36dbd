"""What the frameworks' tests ask of Pyramid."""

import hashlib

from pyramid.config import Configurator
from pyramid.response import Response
from pyramid.session import SignedCookieSessionFactory


def page(request):
    return Response("<h1>Grüße from Pyramid</h1>")


def form(request):
    return Response(f"{request.POST['name']} likes {', '.join(request.POST.getall('likes'))}")


def upload(request):
    file = request.POST["file"]
    return Response(f"{file.filename} {hashlib.sha256(file.file.read()).hexdigest()}")


def download(request):
    blocks = (b"%07d\n" % number for number in range(300_000))
    return Response(app_iter=blocks, content_type="application/octet-stream")


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return Response(str(request.session["count"]))


def raw(request):
    return Response(str(len(request.body)))


def link(request):
    return Response(request.url)


with Configurator(session_factory=SignedCookieSessionFactory("only for tests")) as config:
    config.add_route("page", "/")
    config.add_view(page, route_name="page")
    for view in [form, upload, download, count, raw, link]:
        config.add_route(view.__name__, f"/{view.__name__}")
        config.add_view(view, route_name=view.__name__)
    app = config.make_wsgi_app()
