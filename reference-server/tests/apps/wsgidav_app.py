"""WsgiDAV on the folder in the variable DAV_ROOT. Run as a program, it is behind cheroot, its own choice of a server."""

import os

from wsgidav.wsgidav_app import WsgiDAVApp

application = WsgiDAVApp(
    {
        "provider_mapping": {"/": os.environ["DAV_ROOT"]},
        "simple_dc": {"user_mapping": {"*": True}},
        "lock_storage": True,
        "property_manager": True,
        "verbose": 1,
    }
)

if __name__ == "__main__":
    from cheroot.wsgi import Server

    server = Server(("127.0.0.1", 0), application)
    server.prepare()
    print(server.bind_addr[1], flush=True)
    server.serve()
