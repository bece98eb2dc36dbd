"""Mercurial's hgweb for the repository in the variable HG_REPOSITORY."""

import os

from mercurial.hgweb import hgweb

application = hgweb(os.fsencode(os.environ["HG_REPOSITORY"]), name=b"repository")
