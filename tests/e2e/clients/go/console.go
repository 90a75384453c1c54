package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The calls of Redpanda Console's pages, in their order, each with the time that it took.
type console struct {
	client *kgo.Client
	admin  *kadm.Client
	topic  string
	group  string
}

// runConsole takes BOOTSTRAP TOPIC GROUP: the topic has records, the group offsets in it and no members.
// It prints a line for each call: [name, milliseconds, "ok" or the error].
func runConsole(arguments []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(arguments[0], ",")...))
	must(err)
	defer client.Close()
	c := &console{client, kadm.NewClient(client), arguments[1], arguments[2]}
	c.overview()
	c.topicPages()
	c.groupPages()
	c.actions()
	c.securityPages()
}

func call(name string, made func(context.Context) error) {
	limited, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	began := time.Now()
	went := "ok"
	if err := made(limited); err != nil {
		went = err.Error()
	}
	say(name, time.Since(began).Milliseconds(), went)
}

// first returns the first error that there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *console) overview() {
	var brokers kadm.BrokerDetails
	call("metadata", func(ctx context.Context) error {
		shown, err := c.admin.Metadata(ctx)
		brokers = shown.Brokers
		return first(err, shown.Topics.Error())
	})
	call("api versions", func(ctx context.Context) error {
		shown, err := c.admin.ApiVersions(ctx)
		shown.Each(func(each kadm.BrokerApiVersions) { err = first(err, each.Err) })
		return err
	})
	call("log dirs", func(ctx context.Context) error {
		shown, err := c.admin.DescribeAllLogDirs(ctx, nil)
		for _, dirs := range shown {
			err = first(err, dirs.Error())
		}
		return err
	})
	call("broker configs", func(ctx context.Context) error {
		shown, err := c.admin.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
		return first(err, errorOf(shown))
	})
}

func errorOf(configs kadm.ResourceConfigs) error {
	for _, each := range configs {
		if each.Err != nil {
			return each.Err
		}
	}
	return nil
}

func (c *console) topicPages() {
	call("topics", func(ctx context.Context) error {
		shown, err := c.admin.ListTopicsWithInternal(ctx)
		if err := first(err, shown.Error()); err != nil {
			return err
		}
		request := kmsg.NewPtrDescribeConfigsRequest()
		for _, name := range shown.Names() {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType = kmsg.ConfigResourceTypeTopic
			resource.ResourceName = name
			resource.ConfigNames = []string{"cleanup.policy"}
			request.Resources = append(request.Resources, resource)
		}
		_, err = request.RequestWith(ctx, c.client)
		return err
	})
	call("topic config", func(ctx context.Context) error {
		shown, err := c.admin.DescribeTopicConfigs(ctx, c.topic)
		return first(err, errorOf(shown))
	})
	call("topic offsets", func(ctx context.Context) error {
		start, err := c.admin.ListStartOffsets(ctx, c.topic)
		end, err2 := c.admin.ListEndOffsets(ctx, c.topic)
		at, err3 := c.admin.ListOffsetsAfterMilli(ctx, 1, c.topic)
		return first(err, err2, err3, start.Error(), end.Error(), at.Error())
	})
	call("messages", c.messages)
}

// messages reads the topic from its beginning to where it ends now.
func (c *console) messages(ctx context.Context) error {
	ends, err := c.admin.ListEndOffsets(ctx, c.topic)
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{}
	ends.Each(func(each kadm.ListedOffset) {
		if each.Offset > 0 {
			from[each.Partition] = kgo.NewOffset().AtStart()
		}
	})
	if len(from) == 0 {
		return errors.New("the topic has no records")
	}
	reader, err := kgo.NewClient(
		kgo.SeedBrokers(c.client.OptValue(kgo.SeedBrokers).([]string)...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: from}),
		kgo.FetchMaxBytes(5<<20), kgo.MaxConcurrentFetches(12), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer reader.Close()
	for len(from) > 0 {
		fetched := reader.PollFetches(ctx)
		if err := fetched.Err0(); err != nil {
			return err
		}
		fetched.EachRecord(func(record *kgo.Record) {
			end, _ := ends.Lookup(c.topic, record.Partition)
			if record.Offset+1 >= end.Offset {
				delete(from, record.Partition)
			}
		})
		if errs := fetched.Errors(); len(errs) > 0 {
			return errs[0].Err
		}
	}
	return nil
}

func (c *console) groupPages() {
	call("groups", func(ctx context.Context) error {
		listed, err := c.admin.ListGroups(ctx)
		if err != nil {
			return err
		}
		described, err := c.admin.DescribeGroups(ctx, listed.Groups()...)
		return first(err, described.Error())
	})
	call("lags", func(ctx context.Context) error {
		listed, err := c.admin.ListGroups(ctx)
		if err != nil {
			return err
		}
		lags, err := c.admin.Lag(ctx, listed.Groups()...)
		return first(err, lags.Error())
	})
}

func (c *console) actions() {
	made := c.topic + "-by-console"
	call("create topic", func(ctx context.Context) error {
		got, err := c.admin.CreateTopics(ctx, 2, 2, nil, made)
		return first(err, got.Error())
	})
	call("create partitions", func(ctx context.Context) error {
		got, err := c.admin.UpdatePartitions(ctx, 3, made)
		return first(err, got.Error())
	})
	call("alter config", func(ctx context.Context) error {
		got, err := c.admin.AlterTopicConfigs(ctx,
			[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("60000")}}, made)
		for _, each := range got {
			err = first(err, each.Err)
		}
		return err
	})
	call("produce", func(ctx context.Context) error {
		return c.client.ProduceSync(ctx, &kgo.Record{Topic: made, Value: []byte("by Console")}).FirstErr()
	})
	call("reassignments", func(ctx context.Context) error {
		_, err := c.admin.ListPartitionReassignments(ctx, nil)
		return err
	})
	call("delete records", func(ctx context.Context) error {
		ends, err := c.admin.ListEndOffsets(ctx, made)
		if err != nil {
			return err
		}
		got, err := c.admin.DeleteRecords(ctx, ends.Offsets())
		return first(err, got.Error())
	})
	call("edit group", func(ctx context.Context) error {
		starts, err := c.admin.ListStartOffsets(ctx, c.topic)
		if err != nil {
			return err
		}
		return c.admin.CommitAllOffsets(ctx, c.group, starts.Offsets())
	})
	call("delete group offsets", func(ctx context.Context) error {
		got, err := c.admin.DeleteOffsets(ctx, c.group, kadm.TopicsSet{c.topic: {0: {}}})
		return first(err, got.Error())
	})
	call("delete group", func(ctx context.Context) error {
		got, err := c.admin.DeleteGroups(ctx, c.group)
		return first(err, got.Error())
	})
	call("delete topic", func(ctx context.Context) error {
		got, err := c.admin.DeleteTopics(ctx, made)
		return first(err, got.Error())
	})
}

func (c *console) securityPages() {
	call("quotas", func(ctx context.Context) error {
		_, err := c.admin.DescribeClientQuotas(ctx, false, nil)
		return err
	})
	call("acls", func(ctx context.Context) error {
		request := kmsg.NewPtrDescribeACLsRequest()
		request.ResourceType = kmsg.ACLResourceTypeAny
		request.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
		request.Operation = kmsg.ACLOperationAny
		request.PermissionType = kmsg.ACLPermissionTypeAny
		got, err := request.RequestWith(ctx, c.client)
		if err == nil && got.ErrorCode != 0 {
			err = fmt.Errorf("error code %d", got.ErrorCode)
		}
		return err
	})
	call("scram users", func(ctx context.Context) error {
		got, err := c.admin.DescribeUserSCRAMs(ctx)
		return first(err, got.Error())
	})
}
