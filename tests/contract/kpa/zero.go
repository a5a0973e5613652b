package main

import (
	"context"
	"net/http"
	"time"
	_ "unsafe" // for linkname

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	netv1alpha1 "knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/logging"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	autoscalerconfig "knative.dev/serving/pkg/autoscaler/config/autoscalerconfig"
	"knative.dev/serving/pkg/deployment"
	"knative.dev/serving/pkg/reconciler/autoscaling/config"
	_ "knative.dev/serving/pkg/reconciler/autoscaling/kpa"
)

// scaler mirrors the private one of the pinned version, whose rule is called below.
type scaler struct {
	listerFactory  func(schema.GroupVersionResource) (cache.GenericLister, error)
	dynamicClient  dynamic.Interface
	transport      http.RoundTripper
	activatorProbe func(*autoscalingv1alpha1.PodAutoscaler, http.RoundTripper) (bool, error)
	probeManager   any
	enqueueCB      func(any, time.Duration)
}

//go:linkname handleScaleToZero knative.dev/serving/pkg/reconciler/autoscaling/kpa.(*scaler).handleScaleToZero
func handleScaleToZero(*scaler, context.Context, *autoscalingv1alpha1.PodAutoscaler, *netv1alpha1.ServerlessService, int32) (int32, bool)

//go:linkname applyBounds knative.dev/serving/pkg/reconciler/autoscaling/kpa.applyBounds
func applyBounds(lower, upper, wanted int32) int32

// last is a look at a service that no pod, or as many as wanted, may be left of.
type last struct {
	Wanted        int32   `json:"wanted"`
	Min           int32   `json:"min"`
	Max           int32   `json:"max"`
	Standing      string  `json:"standing"`
	LastedS       float64 `json:"lasted_s"`
	Enabled       bool    `json:"enabled"`
	StableWindowS float64 `json:"stable_window_s"`
	GraceS        float64 `json:"grace_s"`
	RetentionS    float64 `json:"retention_s"`
}

// kept is how many pods there are to be; none said, they are left as they are.
type kept struct {
	Pods    *int32 `json:"pods"`
	Applied bool   `json:"applied"`
}

func decided(lasts []last) []kept {
	answers := make([]kept, 0, len(lasts))
	for _, given := range lasts {
		answers = append(answers, decide(given))
	}
	return answers
}

func decide(given last) kept {
	active := map[string]corev1.ConditionStatus{
		"activating": corev1.ConditionUnknown, "active": corev1.ConditionTrue, "inactive": corev1.ConditionFalse,
	}[given.Standing]
	pa := &autoscalingv1alpha1.PodAutoscaler{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "rev",
		// The activator always in the path: nothing to probe.
		Annotations: map[string]string{"autoscaling.knative.dev/target-burst-capacity": "-1"},
	}}
	pa.Status.Conditions = []apis.Condition{{
		Type: autoscalingv1alpha1.PodAutoscalerConditionActive, Status: active,
		LastTransitionTime: apis.VolatileTime{Inner: metav1.NewTime(time.Now().Add(-seconds(given.LastedS)))},
	}}
	ctx := config.ToContext(logging.WithLogger(context.Background(), zap.NewNop().Sugar()), &config.Config{
		Autoscaler: &autoscalerconfig.Config{
			EnableScaleToZero: given.Enabled, StableWindow: seconds(given.StableWindowS),
			ScaleToZeroGracePeriod: seconds(given.GraceS), ScaleToZeroPodRetentionPeriod: seconds(given.RetentionS),
		},
		Deployment: &deployment.Config{ProgressDeadline: time.Hour},
	})
	sks := &netv1alpha1.ServerlessService{}
	rule := &scaler{enqueueCB: func(any, time.Duration) {}}
	pods, applied := handleScaleToZero(rule, ctx, pa, sks, applyBounds(given.Min, given.Max, given.Wanted))
	if !applied {
		return kept{}
	}
	return kept{&pods, true}
}
