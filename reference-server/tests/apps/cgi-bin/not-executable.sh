#!/bin/sh
printf 'Content-Type: text/plain\n\nsource that nobody may see\n'
