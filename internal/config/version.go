package config

// Version is the version of the build, set by the linker; a build without it is "dev".
var Version = "dev"
