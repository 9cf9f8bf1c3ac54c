package listing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/holdcheck"
)

// The parts of SARIF 2.1.0 that are used, under its own names.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID            string             `json:"id"`
		Name          string             `json:"name"`
		Short         sarifMessage       `json:"shortDescription"`
		HelpURI       string             `json:"helpUri"`
		Configuration sarifConfiguration `json:"defaultConfiguration"`
	}
	sarifConfiguration struct {
		Level string `json:"level"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifMessage      `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Related      []sarifLocation   `json:"relatedLocations,omitempty"`
		CodeFlows    []sarifCodeFlow   `json:"codeFlows,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints,omitempty"`
		Properties   map[string]any    `json:"properties,omitempty"`
	}
	sarifLocation struct {
		ID       *int           `json:"id,omitempty"`
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifMessage  `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifCodeFlow struct {
		ThreadFlows []sarifThreadFlow `json:"threadFlows"`
	}
	sarifThreadFlow struct {
		Locations []sarifFlowLocation `json:"locations"`
	}
	sarifFlowLocation struct {
		Location sarifLocation `json:"location"`
	}
)

var sarifLevels = map[holdcheck.Severity]string{holdcheck.High: "error", holdcheck.Medium: "warning", holdcheck.Low: "note"}

// fingerprint is the name under which a finding's ID is in SARIF.
const fingerprint = "pgholdID/v1"

// SARIF writes a result as SARIF 2.1.0. What the source says is meant is not in it:
// who shows SARIF shows that as if it were not.
func SARIF(w io.Writer, r *holdcheck.Result, o Options) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{Name: "pghold", Version: o.Version, InformationURI: docs}},
		Invocations: []sarifInvocation{{
			Successful: len(r.Errors) == 0, Notifications: slices.Concat(notifications("error", r.Errors), notifications("note", r.Unread), notifications("note", r.LeftOut)),
		}},
		Results: []sarifResult{},
	}
	for _, rule := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: rule.id, Name: rule.name, Short: sarifMessage{rule.sentence()}, HelpURI: docs,
			Configuration: sarifConfiguration{sarifLevels[rule.severity]},
		})
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, o.sarifFinding(f))
	}
	for _, c := range r.Complaints {
		run.Results = append(run.Results, o.sarifRemark(ignoreWithoutReason, "error", c))
	}
	for _, u := range r.Unused {
		run.Results = append(run.Results, o.sarifRemark(unusedIgnore, "note", u))
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}); err != nil {
		return err
	}
	_, err := w.Write(printable.JSON(b.Bytes()))
	return err
}

func notifications(level string, texts []string) (ns []sarifNotification) {
	for _, text := range texts {
		ns = append(ns, sarifNotification{level, sarifMessage{printable.Line(text)}})
	}
	return ns
}

func (o Options) sarifFinding(f holdcheck.Finding) sarifResult {
	message := printable.Line(f.Message)
	if f.Advice != "" {
		message += "\n" + printable.Line(f.Advice)
	}
	if also := alsoLine(f); also != "" {
		message += "\n" + also
	}
	file, line := o.where(f)
	one := 1
	worst := f.Worst()
	hold := o.location(f.Hold.File, f.Hold.Line, "", "the connection is taken here: "+f.Hold.What)
	flow := []sarifFlowLocation{{hold}}
	for i, s := range worst.Chain {
		says := "calls " + worst.Place.What
		if i < len(worst.Chain)-1 {
			says = "calls " + shortFunc(worst.Chain[i+1].Func)
		}
		flow = append(flow, sarifFlowLocation{o.location(s.File, s.Line, s.Func, shortFunc(s.Func)+" "+says)})
	}
	hold.ID = &one
	res := sarifResult{
		RuleID: string(worst.Kind), RuleIndex: ruleIndex(string(worst.Kind)), Level: cmp.Or(sarifLevels[worst.Severity], "none"),
		Message:      sarifMessage{message},
		Locations:    []sarifLocation{physical(file, line)},
		Related:      []sarifLocation{hold},
		CodeFlows:    []sarifCodeFlow{{[]sarifThreadFlow{{flow}}}},
		Fingerprints: map[string]string{fingerprint: worst.ID.String()},
	}
	if f.Held != nil {
		res.Properties = map[string]any{"held_s": *f.Held}
	}
	return res
}

func (o Options) sarifRemark(rule, level string, r holdcheck.Remark) sarifResult {
	file, _ := o.inside(r.File)
	return sarifResult{
		RuleID: rule, RuleIndex: ruleIndex(rule), Level: level, Message: sarifMessage{printable.Line(r.Text)},
		Locations:    []sarifLocation{physical(file, r.Line)},
		Fingerprints: map[string]string{fingerprint: fmt.Sprintf("%s:%s", rule, file)},
	}
}

// location is a line of the repository or, of a dependency, only its function: where
// its file is differs from machine to machine.
func (o Options) location(file string, line int, function, says string) sarifLocation {
	var l sarifLocation
	if file, ok := o.inside(file); ok {
		l = physical(file, line)
	}
	if function != "" {
		l.Logical = []sarifLogical{{function}}
	}
	l.Message = &sarifMessage{printable.Line(says)}
	return l
}

func physical(file string, line int) sarifLocation {
	p := &sarifPhysical{Artifact: sarifArtifact{(&url.URL{Path: file}).String(), "%SRCROOT%"}}
	if line > 0 {
		p.Region = &sarifRegion{line}
	}
	return sarifLocation{Physical: p}
}
