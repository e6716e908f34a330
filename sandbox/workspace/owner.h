// Who a run is, when that is not the server's own user.

#ifndef CORDON_SANDBOX_WORKSPACE_OWNER_H_
#define CORDON_SANDBOX_WORKSPACE_OWNER_H_

#include <sys/types.h>

namespace cordon::sandbox {

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WORKSPACE_OWNER_H_
