#include "registry/push_client.hpp"
