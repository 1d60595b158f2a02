#!/usr/bin/env -S node --enable-source-maps
import '../dist/main.js'
