package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A consumer of a group that says what happens to it, as group_member.py.
type member struct {
	topic string

	mutex      sync.Mutex
	partitions map[int32]bool
}

func say(what ...interface{}) {
	line, err := json.Marshal(what)
	must(err)
	fmt.Println(string(line))
}

func milliseconds(settings map[string]string, key string) time.Duration {
	value, err := strconv.Atoi(settings[key])
	must(err)
	return time.Duration(value) * time.Millisecond
}

// runMember takes BOOTSTRAP GROUP TOPIC [key=value…]; SIGINT makes it leave.
func runMember(arguments []string) {
	settings := map[string]string{}
	for _, each := range arguments[3:] {
		pair := strings.SplitN(each, "=", 2)
		settings[pair[0]] = pair[1]
	}
	m := &member{topic: arguments[2], partitions: map[int32]bool{}}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(arguments[0], ",")...),
		kgo.ConsumerGroup(arguments[1]),
		kgo.ConsumeTopics(m.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(milliseconds(settings, "session.timeout.ms")),
		kgo.HeartbeatInterval(milliseconds(settings, "heartbeat.interval.ms")),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(m.changed(true)),
		kgo.OnPartitionsRevoked(m.changed(false)),
		kgo.OnPartitionsLost(m.changed(false)),
	)
	must(err)
	stopped, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for stopped.Err() == nil {
		readAndCommit(stopped, client)
	}
	client.CloseAllowingRebalance()
}

func (m *member) changed(has bool) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
		m.mutex.Lock()
		defer m.mutex.Unlock()
		for _, partition := range topics[m.topic] {
			if has {
				m.partitions[partition] = true
			} else {
				delete(m.partitions, partition)
			}
		}
		owned := []int{}
		for partition := range m.partitions {
			owned = append(owned, int(partition))
		}
		sort.Ints(owned)
		line := []interface{}{"assigned"}
		for _, partition := range owned {
			line = append(line, partition)
		}
		say(line...)
	}
}

func readAndCommit(stopped context.Context, client *kgo.Client) {
	fetched := client.PollRecords(stopped, 500)
	defer client.AllowRebalance()
	next := map[int32]int64{}
	fetched.EachRecord(func(record *kgo.Record) {
		say("read", record.Partition, record.Offset, string(record.Value))
		next[record.Partition] = record.Offset + 1
	})
	if len(next) == 0 {
		return
	}
	if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "commit:", err) // What was read is read again.
		return
	}
	for partition, offset := range next {
		say("committed", partition, offset)
	}
}
