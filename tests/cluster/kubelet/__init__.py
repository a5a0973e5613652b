"""A kubelet without a container engine: every container is a local process.

What a pod is to its neighbours is real: an address of its own in a network namespace of its own, a root file
system of its own (an overlay over this machine's), process ids of its own, volumes, service-account token,
probes, restarts, termination grace, a cpu quota, in-place resize. What an image is, is stood in for: a name
stands for a command of this machine. Users, capabilities and memory limits are not kept.
"""
