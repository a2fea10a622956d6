#include "registry/server.hpp"
