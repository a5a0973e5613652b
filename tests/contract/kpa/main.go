// Plays scenarios to Knative's real autoscaler: one JSON scenario a line in, its answers a line out.
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
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
)

// scenario holds the autoscaler's constants, the pods it starts next to, and what it sees.
type scenario struct {
	Target          float64 `json:"target"`
	StableWindowS   float64 `json:"stable_window_s"`
	PanicThreshold  float64 `json:"panic_threshold"`
	MaxUpRate       float64 `json:"max_scale_up_rate"`
	MaxDownRate     float64 `json:"max_scale_down_rate"`
	ActivationScale int32   `json:"activation_scale"`
	Ready           int     `json:"ready"`
	Looks           []look  `json:"looks"`
}

// look is what is seen at a moment, in seconds from the start; Seen is false where metrics lack.
type look struct {
	AtS    float64 `json:"at_s"`
	Ready  int     `json:"ready"`
	Seen   bool    `json:"seen"`
	Stable float64 `json:"stable"`
	Panic  float64 `json:"panic"`
}

type answer struct {
	Pods  int32 `json:"pods"`
	Valid bool  `json:"valid"`
	Panic bool  `json:"panic"`
}

// shown is the metric client and pod counter that show one look.
type shown struct{ look look }

func (s *shown) StableAndPanicConcurrency(types.NamespacedName, time.Time) (float64, float64, error) {
	if !s.look.Seen {
		return 0, 0, metrics.ErrNoData
	}
	return s.look.Stable, s.look.Panic, nil
}

func (s *shown) StableAndPanicRPS(key types.NamespacedName, now time.Time) (float64, float64, error) {
	return s.StableAndPanicConcurrency(key, now)
}

func (s *shown) ReadyCount() (int, error) { return s.look.Ready, nil }

func (s *shown) NotReadyCount() (int, error) { return 0, nil }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func play(given scenario) []answer {
	seen := &shown{look{Ready: given.Ready}}
	// Its start is the wall clock's: looks are counted from there.
	start := time.Now()
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
		seen.look = look
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
		if err := out.Encode(play(given)); err != nil {
			log.Fatal(err)
		}
	}
}
