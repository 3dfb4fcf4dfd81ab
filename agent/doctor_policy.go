package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/perosign/pero/agent/locale"
)

// policies tells what an administrator laid down about pages that talk to programs on this computer: without such a policy the browser
// asks the person once for each site, with a wrong one no page ever finds Pero and nothing on the screen says why.
func (d *doctor) policies() {
	found := false
	for _, b := range []struct{ name, folder string }{
		{"Chromium", "/etc/chromium/policies/managed"},
		{"Chrome", "/etc/opt/chrome/policies/managed"},
		{"Edge", "/etc/opt/edge/policies/managed"},
	} {
		files, err := filepath.Glob(d.root + b.folder + "/*.json")
		if err != nil {
			continue // the pattern is ours
		}
		var sum chromiumPolicy
		for _, file := range files {
			var p chromiumPolicy
			if err := readPolicy(file, &p); err != nil {
				d.find("policy", levelNote, "policy_unread", locale.Values{"Name": b.name, "Path": file, "Cause": err.Error()})
				found = true
				continue
			}
			sum.add(p)
		}
		found = d.chromium(b.name, b.folder, sum) || found
	}
	for _, file := range []string{"/etc/firefox/policies/policies.json", "/usr/lib/firefox/distribution/policies.json", "/usr/lib/firefox-esr/distribution/policies.json"} {
		var p firefoxPolicies
		v := locale.Values{"Name": "Firefox", "Path": file}
		err := readPolicy(d.root+file, &p)
		switch l := p.Policies.LocalNetworkAccess; {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			v["Cause"] = err.Error()
			d.find("policy", levelNote, "policy_unread", v)
		case l == nil:
			continue
		case l.Enabled != nil && !*l.Enabled:
			d.find("policy", levelOK, "policy_open", v)
		case len(l.SkipDomains) > 0:
			v["Count"] = len(l.SkipDomains)
			d.find("policy", levelOK, "policy", v)
		default:
			d.find("policy", levelNote, "policy_names_none", v)
		}
		found = true
	}
	if !found {
		d.find("policy", levelOK, "policy_none", nil)
	}
}

// chromium tells whether there was anything to tell of a browser of that family.
func (d *doctor) chromium(name, folder string, p chromiumPolicy) bool {
	v := locale.Values{"Name": name, "Path": folder}
	allowed := len(p.Loopback) + len(p.Access)
	switch blocked := len(p.LoopbackBlocked) + len(p.AccessBlocked); {
	case blocked > 0:
		v["Count"] = blocked
		d.find("policy", levelProblem, "policy_blocks", v)
	case allowed > 0:
		v["Count"] = allowed
		d.find("policy", levelOK, "policy", v)
	case len(p.Local) > 0:
		d.find("policy", levelProblem, "policy_local_only", v)
	default:
		return false
	}
	return true
}

// chromiumPolicy is what of Chromium's policies concerns this computer's own addresses (chromeenterprise.google/policies). Local is the
// neighbour that is mistaken for them: it is about the other machines of the network alone.
type chromiumPolicy struct {
	Loopback        []string `json:"LoopbackNetworkAllowedForUrls"`
	LoopbackBlocked []string `json:"LoopbackNetworkBlockedForUrls"`
	Access          []string `json:"LocalNetworkAccessAllowedForUrls"`
	AccessBlocked   []string `json:"LocalNetworkAccessBlockedForUrls"`
	Local           []string `json:"LocalNetworkAllowedForUrls"`
}

func (p *chromiumPolicy) add(q chromiumPolicy) {
	p.Loopback = append(p.Loopback, q.Loopback...)
	p.LoopbackBlocked = append(p.LoopbackBlocked, q.LoopbackBlocked...)
	p.Access = append(p.Access, q.Access...)
	p.AccessBlocked = append(p.AccessBlocked, q.AccessBlocked...)
	p.Local = append(p.Local, q.Local...)
}

// firefoxPolicies is the part of policies.json that concerns Pero (mozilla.github.io/policy-templates, LocalNetworkAccess).
type firefoxPolicies struct {
	Policies struct {
		LocalNetworkAccess *struct {
			Enabled     *bool
			SkipDomains []string
		}
	} `json:"policies"`
}

// readPolicy reads a file that other programs wrote; what is longer than any policy is not one.
func readPolicy(file string, into any) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	octets, err := io.ReadAll(io.LimitReader(f, 4<<20))
	if err != nil {
		return err
	}
	return json.Unmarshal(octets, into)
}
