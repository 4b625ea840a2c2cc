package openshell

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sandkeeper/internal/pattern"
	"sandkeeper/internal/text"
)

// decodeWordings are the texts of protobuf decoders, squeezed as squeeze does. prost (OpenShell's own,
// docs/facts/openshell.md 4.2) puts "failed to decode Protobuf message" in front of every reason; the reasons are
// listed as well because a caller may have cut the front off. The rest are the words of other decoders that may stand
// between us and a gateway: Go, C++, C#, Java, JavaScript, Python.
var decodeWordings = []string{
	"failedtodecodeprotobuf", "protobufdecodeerror", "couldnotdecodeprotobuf", "errordecodingprotobuf",
	"invalidwiretype", "wrongwiretype", "illegalwiretype", "unknownwiretype", "unexpectedwiretype", "badwiretype",
	"invalidtagvalue:", "invalidvarint", "unexpectedendgrouptag", "delimitedlengthexceeded", "bufferunderflow",
	"dataisnotutf-8encoded", "recursionlimitreached",
	"cannotparseinvalidwire-formatdata", "failedtounmarshalthereceivedmessage", "errorunmarshallingrequest",
	"containsinvalidutf-8", "cannotparsereservedwiretype",
	"invalidwire-format", "protocolmessagecontainedaninvalidtag", "whileparsingaprotocolmessage", "protocolmessageend-grouptag",
	"responsemessageparsingerror", "exceptiondeserializingresponse", "errorparsingmessagewithtype",
}

// DecoderSentences is a pattern, for text as squeeze makes it, of what the decoders of other languages say: a verb that
// failed, and the message that it failed on.
const DecoderSentences = `(?:failedto|failureto|cannot|can't|could(?:not|n't)|unableto|exception|error(?:occurredduring|while|when|in)?)` +
	`(?:de(?:cod|seriali[sz])(?:e|ing)|unmarshal(?:l?ing)?|pars(?:e|ing))(?:an?|the)?(?:received|incoming|grpc)?` +
	`(?:(?:request|response)message|message(?:oftype|withtype|!|[a-z0-9_.]{1,120}frombinary)|(?:request|response)!|protobuf)|` +
	`(?:invalid|malformed|corrupt|corrupted)protobuf|wireformat(?:error|wascorrupt)|protobuf\.message\.decodeerror:|` +
	`messagetype"[a-z0-9_.]{1,120}"hasnofieldnamed|wiretypeendgroupfornon-group|` +
	`(?:de(?:seriali[sz]|cod)(?:e|ing|ation)|unmarshal(?:l?ing)?|pars(?:e|ing))(?:failed|failure|error):protobuf|` +
	`proto(?:json)?:syntaxerror|protojson:(?:\(line|invalid|unexpected|unknown|cannot|unableto)|` + RareReasons

// RareReasons is a pattern, for text as squeeze makes it, of reasons of prost that need more than their words to be
// told from other sentences: a key beyond 32 bits, a length beyond the machine's, a message that is packed as another.
const RareReasons = `invalidkeyvalue:\d{10}|lengthdelimiterexceedsmaximum|unexpectedtypeurl`

var decoderSentence = pattern.Of(DecoderSentences)

// loose is the pattern by which NemoClaw itself recognises a mismatch (src/lib/runtime-recovery.ts).
var loose = pattern.Of(`(?i)\bproto(?:buf)? (?:decode|schema|wire)`)

// goProto is how both Go protobuf runtimes begin their decode errors.
var goProto = pattern.Of(`(?i)\bproto:[ \x{a0}]*(?:cannot parse|illegal|wrong|bad|invalid|can't skip|unexpected|field|\(line|[a-z0-9_.]+: (?:illegal|wrong|invalid))`)

// DecodeFailure reports whether text, the whole output of a call of ours, says that a protobuf message could not be
// decoded: in every wording of OpenShell's decoder, in both spellings of a gRPC status, wrapped or not. It asks nothing
// about whose message it was; for a text of unknown origin that matters, and diagnose.Classify is the one to ask.
func DecodeFailure(written string) bool {
	return decodeFailure(WithoutFileNames(ends(written)))
}

// quotedPath is the name of a file in quotes. A colon in it would make it a sentence.
var quotedPath = pattern.Of("[\"'`‘“](?:~|\\.{0,2})/[^\"'`’”:]{1,400}[\"'`’”]")

// WithoutFileNames is text without the quoted names of files that read like a decode failure: "/srv/invalid wire type".
func WithoutFileNames(written string) string {
	if !quotesPath(written) {
		return written
	}
	return quotedPath().ReplaceAllStringFunc(written, func(quoted string) string {
		if decodeFailure(quoted) {
			return `""`
		}
		return quoted
	})
}

// quotesPath reports whether quotedPath can begin somewhere: most answers spare us its hundreds of steps.
func quotesPath(written string) bool {
	for i, r := range written {
		if strings.ContainsRune("\"'`‘“", r) && strings.HasPrefix(strings.TrimLeft(written[i+utf8.RuneLen(r):], "~."), "/") {
			return true
		}
	}
	return false
}

func decodeFailure(written string) bool {
	squeezed := squeeze(written)
	for _, wording := range decodeWordings {
		if strings.Contains(squeezed, wording) {
			return true
		}
	}

	if decoderSentence().MatchString(squeezed) {
		return true
	}
	if !strings.Contains(squeezed, "proto") {
		return false
	}
	flat := strings.Join(strings.Fields(text.StripANSI(ends(written))), " ")
	return loose().MatchString(flat) || goProto().MatchString(flat)
}

// mostSaid is how much is read of the beginning and of the end of an output in search of an error: programs say theirs
// first or last, and a program that prints megabytes of something else must not keep us busy for seconds.
const mostSaid = 256 << 10

// ends is an output without its middle, where it is so long that it has one.
func ends(output string) string {
	if len(output) <= 2*mostSaid {
		return output
	}
	return output[:mostSaid] + "\n" + output[len(output)-mostSaid:]
}

// squeeze is text in lower case without spaces and gutters: wrapping, also inside words, cannot hide a wording in it.
func squeeze(written string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("│|├╰─▶×", r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text.StripANSI(ends(written)))
}
