#!/bin/sh
# Shows the environment, the arguments and the working directory.
printf 'Content-Type: text/plain\n\n'
env
for argument; do echo "ARGUMENT=$argument"; done
echo "DIRECTORY=$(pwd -P)"
