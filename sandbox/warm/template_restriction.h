// What a template gives up before it imports anything: it needs the server's
// rights to make forks of other users, and its modules need none.
//
// It keeps the capabilities that its forks take to become a run, opens no TCP
// connection and takes none, and signals nobody but its forks, as far as the
// kernel knows how to see to that (landlock(7)). All of that its forks have
// given up, too.
//
// What it does not do: take what the server has of the file system (it may
// write what the server may, since a rule for the template would be one for the
// runs in it), or UDP, which Landlock does not know.

#ifndef CORDON_SANDBOX_WARM_TEMPLATE_RESTRICTION_H_
#define CORDON_SANDBOX_WARM_TEMPLATE_RESTRICTION_H_

namespace cordon::sandbox {

// False when the kernel has a way of it that failed. Depends on nothing, as the
// fork point.
extern "C" bool CordonRestrictTemplate();

}  // namespace cordon::sandbox

#endif  // CORDON_SANDBOX_WARM_TEMPLATE_RESTRICTION_H_
