// Plays scenarios to Knative's real autoscaler: one JSON scenario a line in, its answers a line out.
// A scenario has looks at a service under load, or looks at one that may have no pod left.
package main

import (
	"encoding/json"
	"log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/autoscaler/aggregation"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

// scenario holds the autoscaler's constants, the pods it starts next to, and what it sees.
type scenario struct {
	Target          float64 `json:"target"`
	StableWindowS   float64 `json:"stable_window_s"`
	PanicWindowS    float64 `json:"panic_window_s"`
	PanicThreshold  float64 `json:"panic_threshold"`
	MaxUpRate       float64 `json:"max_scale_up_rate"`
	MaxDownRate     float64 `json:"max_scale_down_rate"`
	ActivationScale int32   `json:"activation_scale"`
	Ready           int     `json:"ready"`
	Looks           []look  `json:"looks"`
	Lasts           []last  `json:"lasts"`
}

// look is what is seen at a moment, in seconds from the start: both means, or reports since the last look
// that Knative's own buckets make them of. Seen is false where there is neither.
type look struct {
	AtS     float64  `json:"at_s"`
	Ready   int      `json:"ready"`
	Seen    bool     `json:"seen"`
	Stable  float64  `json:"stable"`
	Panic   float64  `json:"panic"`
	Reports []report `json:"reports"`
}

// report is a concurrency that was reported at a moment.
type report struct {
	AtS   float64 `json:"at_s"`
	Value float64 `json:"value"`
}

type answer struct {
	Pods  int32 `json:"pods"`
	Valid bool  `json:"valid"`
	Panic bool  `json:"panic"`
}

// shown is the metric client and pod counter that show one look. Its buckets begin at a whole second.
type shown struct {
	look          look
	stable, panic *aggregation.TimedFloat64Buckets
	epoch         time.Time
}

func (s *shown) see(next look) {
	s.look = next
	for _, one := range next.Reports {
		s.stable.Record(s.epoch.Add(seconds(one.AtS)), one.Value)
		s.panic.Record(s.epoch.Add(seconds(one.AtS)), one.Value)
	}
}

func (s *shown) StableAndPanicConcurrency(types.NamespacedName, time.Time) (float64, float64, error) {
	now := s.epoch.Add(seconds(s.look.AtS))
	switch {
	case s.look.Seen:
		return s.look.Stable, s.look.Panic, nil
	case s.stable.IsEmpty(now):
		return 0, 0, metrics.ErrNoData
	default:
		return s.stable.WindowAverage(now), s.panic.WindowAverage(now), nil
	}
}

func (s *shown) StableAndPanicRPS(key types.NamespacedName, now time.Time) (float64, float64, error) {
	return s.StableAndPanicConcurrency(key, now)
}

func (s *shown) ReadyCount() (int, error) { return s.look.Ready, nil }

func (s *shown) NotReadyCount() (int, error) { return 0, nil }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func play(given scenario) []answer {
	// Its start is the wall clock's: looks are counted from there.
	start := time.Now()
	seen := &shown{
		look:   look{Ready: given.Ready},
		stable: aggregation.NewTimedFloat64Buckets(seconds(given.StableWindowS), time.Second),
		panic:  aggregation.NewTimedFloat64Buckets(seconds(given.PanicWindowS), time.Second),
		epoch:  start.Truncate(time.Second),
	}
	autoscaler := scaling.New(attribute.Set{}, noop.NewMeterProvider(), "ns", "rev", seen, seen, &scaling.DeciderSpec{
		MaxScaleUpRate:   given.MaxUpRate,
		MaxScaleDownRate: given.MaxDownRate,
		ScalingMetric:    "concurrency",
		TargetValue:      given.Target,
		TotalValue:       given.Target,
		PanicThreshold:   given.PanicThreshold,
		StableWindow:     seconds(given.StableWindowS),
		ActivationScale:  given.ActivationScale,
		Reachable:        true,
	})
	// Its mode is private, but it logs the one it operates in.
	core, logs := observer.New(zapcore.DebugLevel)
	logger := zap.New(core).Sugar()
	answers := make([]answer, 0, len(given.Looks))
	for _, look := range given.Looks {
		seen.see(look)
		result := autoscaler.Scale(logger, start.Add(seconds(look.AtS)))
		panics := len(logs.FilterMessage("Operating in panic mode.").All()) > 0
		logs.TakeAll()
		answers = append(answers, answer{result.DesiredPodCount, result.ScaleValid, panics})
	}
	return answers
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var given scenario
		if err := in.Decode(&given); err != nil {
			log.Fatal(err)
		}
		var said any = play(given)
		if len(given.Lasts) > 0 {
			said = decided(given.Lasts)
		}
		if err := out.Encode(said); err != nil {
			log.Fatal(err)
		}
	}
}
