"""What a cluster's network add-ons do, as thin as it can be: ClusterIPs, names, and Knative's ingress.

All three listen on this machine's address on the pods' bridge, in one process.
"""
