module knative-barista.dev/cluster/stub

go 1.26
