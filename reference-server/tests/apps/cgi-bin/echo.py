#!/usr/bin/env python3
"""Copies CONTENT_LENGTH bytes of its input."""
import os
import sys

body = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH", "0")))
sys.stdout.write("Content-Type: application/octet-stream\n\n")
sys.stdout.flush()
sys.stdout.buffer.write(body)
