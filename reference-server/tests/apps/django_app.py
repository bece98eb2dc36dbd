"""What the frameworks' tests ask of Django, in one file."""

import hashlib

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="only for tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=None,
)
django.setup()


def page(request):
    return HttpResponse("<h1>Grüße from Django</h1>")


def form(request):
    return HttpResponse(f"{request.POST['name']} likes {', '.join(request.POST.getlist('likes'))}")


def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256(b"".join(file.chunks())).hexdigest()
    return HttpResponse(f"{file.name} {digest}")


def download(request):
    blocks = (b"%07d\n" % number for number in range(300_000))
    return StreamingHttpResponse(blocks, content_type="application/octet-stream")


def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return HttpResponse(str(request.session["count"]))


def raw(request):
    return HttpResponse(str(len(request.body)))


def link(request):
    return HttpResponse(request.build_absolute_uri())


urlpatterns = [
    path("", page),
    path("form", form),
    path("upload", upload),
    path("download", download),
    path("count", count),
    path("raw", raw),
    path("link", link),
]

application = get_wsgi_application()
