/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol Buffers, gRPC, MQTT and FIX: fields of payloads, whole, cut short and hostile. The
 * payloads were made by hand from the standards, and haproxy 2.6 gives the same values but where
 * said.
 */
#include "fixture.h"

struct payload_case {
	const char *expr, *value;
};

static void check_cases(const struct payload_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = eval(c[i].expr);

		if (strcmp(got, c[i].value) != 0)
			fail_msg("%s: got '%s', expected '%s'", c[i].expr, got, c[i].value);
	}
}
#define CHECK(cases) check_cases(cases, LB_ARRAY_LEN(cases))

static void protobuf(void **state)
{
	static const struct payload_case cases[] = {
		{ "bin(089601),protobuf(1),hex", "9601" },
		{ "bin(089601),protobuf(1,int32)", "150" },
		{ "bin(089601),protobuf(1,sint32)", "75" },
		{ "bin(089601),protobuf(1,fixed32)", "<none>" },
		{ "bin(089601),protobuf(1,enum)", "150" },
		{ "bin(12036162630801),protobuf(2)", "abc" },
		{ "bin(12036162630801),protobuf(1,int32)", "1" },
		{ "bin(12036162630801),protobuf(2,int32)", "<none>" },
		{ "bin(12036162630801),protobuf(3)", "<none>" },
		{ "bin(08010802),protobuf(1,int32)", "1" },
		{ "bin(0a04082a1001),protobuf(1.1,int32)", "42" },
		{ "bin(0a04082a1001),protobuf(1.2,int32)", "1" },
		{ "bin(0a02082a0a021001),protobuf(1.2,int32)", "1" },
		{ "bin(0a02082a10070a021001),protobuf(2,int32)", "7" },
		{ "bin(09000000000000f83f),protobuf(1,double)", "1" },
		{ "bin(09000000000000f83f),protobuf(1)", "" },
		{ "bin(09000000000000f83f),protobuf(1),hex", "000000000000F83F" },
		{ "bin(09000000000000f83f),protobuf(1,fixed64)", "4609434218613702656" },
		{ "bin(0dffffffff),protobuf(1,fixed32)", "4294967295" },
		{ "bin(0dffffffff),protobuf(1,sfixed32)", "-1" },
		{ "bin(0d0000c03f),protobuf(1,float)", "1" },
		{ "bin(08ffffffffffffffffff01),protobuf(1,int32)", "-1" },
		{ "bin(08ffffffffffffffffff01),protobuf(1,int64)", "-1" },
		{ "bin(08ffffffffffffffffff01),protobuf(1,uint64)", "-1" },
		{ "bin(08ffffffff0f),protobuf(1,uint32)", "4294967295" },
		{ "bin(0803),protobuf(1,sint64)", "-2" },
		{ "bin(08ffffffffffffffffffff01),protobuf(1,int64)", "<none>" },
		{ "bin(08ff),protobuf(1,int64)", "<none>" },
		{ "bin(0a0508),protobuf(1)", "<none>" },
		{ "bin(000000000208011005),ungrpc(1,int32)", "1" },
		{ "bin(00000000020801),ungrpc(1,int32)", "1" },
		{ "bin(000000000210010000000002080a),ungrpc(1,int32)", "10" },
		{ "bin(00000000050801),ungrpc(1,int32)", "<none>" },
		{ "bin(000000000c0a0a7a08220631343135303931),ungrpc(1.15.4)", "141509" },
		{ "bin(0a00),protobuf(1),hex", "" },
		{ "bin(9001fa01),protobuf(18,int32)", "250" },
		{ "bin(0800),protobuf(1,bool)", "0" },
		{ "bin(0a02082a),protobuf(1),hex", "082A" },
		/* where haproxy 2.6 says something else */
		{ "bin(089601),protobuf(1,bool)", "1" },
		{ "bin(0d0000c0bf),protobuf(1,float)", "-1" },
		{ "bin(08ffffffff0f),protobuf(1,int32)", "-1" },
		{ "bin(08ffffffff7f),protobuf(1,uint32)", "4294967295" },
		{ "bin(0b08010c1005),protobuf(2,int32)", "5" },
		{ "bin(010000000208010000000002080a),ungrpc(1,int32)", "10" },
	};

	CHECK(cases);
}

/* Packets of MQTT with everything that they may hold. */
#define FULL_CONNECT                                                               \
	"107a00044d51545405c6003c291100000005210014270000010022000719011700150004" \
	"6d657468160004646174612600016b0001760001632a1800000009010102000000070300" \
	"047465787408000472657370090004636f7272260002776b000277760005746f70696300" \
	"03706179000475736572000470617373"
#define FULL_CONNACK                                                               \
	"2056018053110000000521001424012500270000010012000861737369676e6564220007" \
	"1f0006726561736f6e280129012a0013001e1a0004696e666f1c00037265661500046d65" \
	"7468160004646174612600016b000176"

static const struct payload_case mqtt_cases[] = {
	{ "bin(c000),mqtt_is_valid", "0" },
	{ "bin(c100),mqtt_is_valid", "0" },
	{ "bin(30050001616263),mqtt_is_valid", "0" },
	{ "bin(300500016162),mqtt_is_valid", "0" },
	{ "bin(f000),mqtt_is_valid", "0" },
	{ "bin(0000),mqtt_is_valid", "0" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_is_valid", "1" },
	{ "bin(101000044d5154540402003c0004746573),mqtt_is_valid", "<none>" },
	{ "bin(101000044d5154540402003c000474657374ff),mqtt_is_valid", "1" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,client_"
	  "identifier)",
		"test" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,flags)", "2" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,keepalive)", "60" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(1,protocol_name)", "MQTT" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(1,protocol_version)", "4" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(1,username)", "<none>" },
	{ "bin(101000044d5154540403003c000474657374),mqtt_is_valid", "0" },
	{ "bin(20020000),mqtt_is_valid", "1" },
	{ "bin(20020000),mqtt_field_value(connack,flags)", "0" },
	{ "bin(20020005),mqtt_field_value(connack,reason_code)", "5" },
	{ "bin(20020005),mqtt_field_value(connack,protocol_version)", "4" },
	{ "bin(20020205),mqtt_is_valid", "0" },
	{ "bin(2003000000),mqtt_is_valid", "1" },
	{ "bin(2003000000),mqtt_field_value(connack,protocol_version)", "5" },
	{ "bin(200600000322000a),mqtt_is_valid", "1" },
	{ "bin(200600000322000a),mqtt_field_value(connack,34)", "10" },
	{ "bin(101300044d5154540502003c032100140003616263),mqtt_is_valid", "1" },
	{ "bin(101400044d5154540502003c032100140003616263),mqtt_is_valid", "<none>" },
	{ "bin(101300044d5154540502003c032100140003616263),mqtt_field_value(connect,33)", "20" },
	{ "bin(101300044d5154540502003c032100140003616263),mqtt_field_value(connect,"
	  "protocol_version)",
		"5" },
	{ "bin(101300044d5154540502003c032100140003616263),mqtt_field_value(connect,CLIENT_"
	  "identifier)",
		"abc" },
	{ "bin(101000044d5154540402003c000474657374c000),mqtt_is_valid", "1" },
	{ "bin(20030000),mqtt_is_valid", "<none>" },
	{ "bin(2002),mqtt_is_valid", "<none>" },
	{ "bin(20),mqtt_is_valid", "<none>" },
	{ "bin(10ffffffff01),mqtt_is_valid", "0" },
	{ "bin(101200064d51497364700302003c000474657374),mqtt_is_valid", "1" },
	{ "bin(101000044d5154540400003c000474657374),mqtt_is_valid", "1" },
	{ "bin(100c00044d5154540402003c0000),mqtt_is_valid", "1" },
	{ "bin(100c00044d5154540400003c0000),mqtt_is_valid", "1" },
	{ "bin(100c00044d51545404c2003c0000),mqtt_is_valid", "0" },
	{ "bin(101200044d51545404c2003c0000000161000162),mqtt_is_valid", "1" },
	{ "bin(101200044d51545404c2003c0000000161000162),mqtt_field_value(connect,"
	  "password)",
		"b" },
	{ "bin(101200044d51545404ee003c0000000161000162),mqtt_is_valid", "0" },
	{ "bin(101200044d515454040e003c0000000161000162),mqtt_is_valid", "1" },
	{ "bin(101200044d515454040e003c0000000161000162),mqtt_field_value(connect,will_"
	  "payload)",
		"b" },
	{ "bin(101200044d515454042e003c0000000161000162),mqtt_is_valid", "1" },
	{ "bin(101200044d515454040a003c0000000161000162),mqtt_is_valid", "0" },
	{ "bin(1e00),mqtt_is_valid", "0" },
	{ "bin(1100),mqtt_is_valid", "0" },
	{ "bin(3600),mqtt_is_valid", "0" },
	{ "bin(3000),mqtt_is_valid", "0" },
	{ "bin(6000),mqtt_is_valid", "0" },
	{ "bin(6200),mqtt_is_valid", "0" },
	{ "bin(d000),mqtt_is_valid", "0" },
	{ "bin(e000),mqtt_is_valid", "0" },
	{ "bin(d00100),mqtt_is_valid", "0" },
	{ "bin(101800044d5154540502003c082200012200022100140003616263),mqtt_is_valid", "0" },
	{ "bin(" FULL_CONNECT "),mqtt_is_valid", "1" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,flags)", "198" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,protocol_name)", "MQTT" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,protocol_version)", "5" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,client_identifier)", "c" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,will_topic)", "topic" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,will_payload)", "pay" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,username)", "user" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,password)", "pass" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,keepalive)", "60" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,17)", "5" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,33)", "20" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,39)", "256" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,34)", "7" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,25)", "1" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,23)", "0" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,21)", "meth" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,22)", "data" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,24)", "9" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,24)", "9" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,1)", "1" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,2)", "7" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,3)", "text" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,8)", "resp" },
	{ "bin(" FULL_CONNECT "),mqtt_field_value(connect,9)", "corr" },
	{ "bin(101400044d5154540502003c06210014210014000163),mqtt_is_valid", "0" },
	{ "bin(101c00044d5154540502003c0e2600016b0001762600016b000176000163),mqtt_is_valid", "1" },
	{ "bin(101000044d5154540502003c027f00000163),mqtt_is_valid", "0" },
	{ "bin(101000044d5154540502003c021702000163),mqtt_is_valid", "0" },
	{ "bin(101100044d5154540502003c03210000000163),mqtt_is_valid", "0" },
	{ "bin(101300044d5154540502003c051800000000000163),mqtt_is_valid", "0" },
	{ "bin(" FULL_CONNACK "),mqtt_is_valid", "1" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,flags)", "1" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,protocol_version)", "5" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,reason_code)", "128" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,17)", "5" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,33)", "20" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,36)", "1" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,37)", "0" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,39)", "256" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,18)", "assigned" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,34)", "7" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,31)", "reason" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,40)", "1" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,41)", "1" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,42)", "0" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,19)", "30" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,26)", "info" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,28)", "ref" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,21)", "meth" },
	{ "bin(" FULL_CONNACK "),mqtt_field_value(connack,22)", "data" },
	{ "bin(2003008000),mqtt_is_valid", "1" },
	{ "bin(2003000001),mqtt_is_valid", "0" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,24)", "<none>" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,17)", "<none>" },
	{ "bin(109000044d5154540402003c000474657374),mqtt_is_valid", "<none>" },
	{ "bin(2001),mqtt_is_valid", "<none>" },
	{ "bin(200100),mqtt_is_valid", "0" },
	{ "bin(2000),mqtt_is_valid", "0" },
	{ "str(),mqtt_is_valid", "<none>" },
	{ "bin(101000044d5154540402003c000474657374),mqtt_field_value(connect,client_"
	  "identifier),length",
		"4" },
	/* where haproxy 2.6 says something else */
	{ "bin(c0),mqtt_is_valid", "0" },
	{ "bin(200600000322000a),mqtt_field_value(connack,33)", "<none>" },
	{ "bin(100f00044d5154540442003c0000000162),mqtt_is_valid", "0" },
	{ "bin(101200044d515454041e003c0000000161000162),mqtt_is_valid", "0" },
	{ "bin(200200ff),mqtt_is_valid", "0" },
	{ "bin(20020006),mqtt_is_valid", "0" },
	{ "bin(2003000600),mqtt_is_valid", "0" },
	{ "bin(101000044d5154540402003c0004ff737400),mqtt_is_valid", "0" },
	{ "bin(101000044d5154540302003c000474657374),mqtt_is_valid", "0" },
	{ "bin(101200064d51497364700402003c000474657374),mqtt_is_valid", "0" },
	{ "bin(101000044d7154540402003c000474657374),mqtt_is_valid", "0" },
};

static void mqtt(void **state)
{
	CHECK(mqtt_cases);
}

static const struct payload_case fix_cases[] = {
	{ "bin(383d4649582e342e3001393d31350133353d440134393d410135363d420131303d31383701),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e342e3101393d31350133353d440134393d410135363d420131303d31383801),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e342e3301393d31350133353d440134393d410135363d420131303d31393001),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e342e3401393d31350133353d440134393d410135363d420131303d31393101),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e352e3001393d31350133353d440134393d410135363d420131303d31383801),"
	  "fix_is_valid",
		"0" },
	{ "bin("
	  "383d464958542e312e3101393d31350133353d440134393d410135363d420131303d30313301),"
	  "fix_is_valid",
		"1" },
	{ "bin(383d4649582e332e3001393d31350133353d440134393d410135363d420131303d31383601),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d6669782e342e3201393d31350133353d440134393d410135363d420131303d30323901),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d30303001),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d350133353d440134393d410135363d420131303d31343001),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d39390133353d440134393d410135363d420131303d32303101),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d31300134393d410133353d440131303d32303501),fix_is_"
	  "valid",
		"0" },
	{ "bin(383d4649582e342e3201393d380133353d44013d410131303d30353501),fix_is_valid", "0" },
	{ "bin(383d4649582e342e3201393d390133353d4401783d410131303d31373601),fix_is_valid", "0" },
	{ "bin(383d4649582e342e3201393d390133353d4401303d410131303d31303401),fix_is_valid", "0" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d313201),"
	  "fix_is_valid",
		"0" },
	{ "bin("
	  "383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901383d46"
	  "4958),fix_is_valid",
		"1" },
	{ "bin(383d4649582e342e3201393d0133353d440134393d410135363d420131303d30383701),fix_"
	  "is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d2d350133353d440134393d410135363d420131303d31383501),"
	  "fix_is_valid",
		"0" },
	{ "bin("
	  "383d4649582e342e3201393d3032300133353d440134393d410135363d420131303d32333301),"
	  "fix_is_valid",
		"0" },
	{ "bin(383d4649582e342e3201393d31310133353d44013034393d410131303d32353401),fix_is_"
	  "valid",
		"1" },
	{ "bin(383d4649582e342e3201393d31300133353d440131303d410131303d31393301),fix_is_"
	  "valid",
		"0" },
	{ "bin(383d4649582e342e3201393d31320133353d440134393d413d420131303d30373801),fix_"
	  "is_valid",
		"1" },
	{ "bin(383d4649582e342e3201),fix_is_valid", "<none>" },
	{ "bin(38),fix_is_valid", "<none>" },
	{ "str(),fix_is_valid", "<none>" },
	{ "bin(383d46),fix_is_valid", "<none>" },
	{ "bin(383d4649582e342e3201),fix_is_valid", "<none>" },
	{ "bin(383d4649582e342e3201393d3135),fix_is_valid", "<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d4401),fix_is_valid", "<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d42),fix_is_valid",
		"<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d),fix_is_"
	  "valid",
		"<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d313839),"
	  "fix_is_valid",
		"<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(8)",
		"FIX.4.2" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(9)",
		"15" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(35)",
		"D" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(49)",
		"A" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(56)",
		"B" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(10)",
		"189" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(11)",
		"<none>" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(BeginString)",
		"FIX.4.2" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(BodyLength)",
		"15" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(MsgType)",
		"D" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(SenderCompID)",
		"A" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(TargetCompID)",
		"B" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d410135363d420131303d31383901),"
	  "fix_tag_value(CheckSum)",
		"189" },
	{ "bin(383d4649582e342e3201393d31350133353d440134393d),fix_tag_value(35)", "D" },
	{ "bin(383d4649582e342e3201393d31350133353d440134),fix_tag_value(35)", "D" },
	{ "bin(34393d410133353d4401),fix_tag_value(35)", "D" },
	{ "bin(33353d0134393d7801),fix_tag_value(49)", "x" },
	{ "bin(33350134393d7801),fix_tag_value(49)", "<none>" },
	{ "bin(783d310134393d7801),fix_tag_value(49)", "<none>" },
	{ "bin(34393d78),fix_tag_value(49)", "<none>" },
	{ "bin(3034393d7801),fix_tag_value(49)", "x" },
	/* where haproxy 2.6 says something else */
	{ "bin(383d4649582e342e3201393d390133353d440134393d0131303d31303001),fix_is_valid", "0" },
	{ "bin(383d4649582e342e3201393d390133353d440134393d4131303d31363401),fix_is_valid", "0" },
	{ "bin(383d4649582e342e3201393d300131303d31393801),fix_is_valid", "0" },
	{ "bin(393d3501),fix_is_valid", "0" },
	{ "bin(383d4649582e342e320133353d4401),fix_is_valid", "0" },
	{ "bin(383d4649582e392e3901),fix_is_valid", "0" },
};

static void fix_messages(void **state)
{
	CHECK(fix_cases);
}

/* A payload of which only the first @len bytes are there, in memory that ends there. */
static char *payload;
static size_t payload_len;

static bool fetch_payload(
	const struct arg *args, struct smp_env *env, struct sample *smp, void *priv)
{
	smp->type = SMP_BIN;
	smp->str = slice_make(payload, payload_len);
	smp->flags |= SMP_F_MAY_CHANGE; /* as req.payload(0,0) does while a client may send more */
	return true;
}

static const struct fetch_kw payload_fetches[] = {
	{ .name = "given",
		.out = SMP_BIN,
		.need = SMP_NEED_INTERNAL,
		.fetch = fetch_payload,
		.help = "of the tests" },
};
LB_REGISTER_FETCH(payload_fetches);

static void set_payload(const void *bytes, size_t len)
{
	free(payload);
	payload = malloc(len ? len : 1);
	payload_len = len;
	memcpy(payload, bytes, len);
}

static bool eval_payload(struct sample *smp)
{
	*smp = (struct sample){ 0 };
	return expr_eval(fix.expr, &fix.env, SMP_ANY, smp);
}

/* Each shorter part asks for more, the whole is valid. */
static void check_prefixes(const void *bytes, size_t len)
{
	struct sample smp;

	for (size_t n = 0; n < len; n++) {
		set_payload(bytes, n);
		assert_false(eval_payload(&smp));
		assert_true(smp.flags & SMP_F_MAY_CHANGE);
	}
	set_payload(bytes, len);
	assert_true(eval_payload(&smp));
	assert_int_equal(smp.type, SMP_BOOL);
	assert_int_equal(smp.sint, 1);
	assert_false(smp.flags & SMP_F_MAY_CHANGE);
}

/* What is wrong stays wrong: nobody waits for more. */
static void check_wrong(const void *bytes, size_t len)
{
	struct sample smp;

	set_payload(bytes, len);
	assert_true(eval_payload(&smp));
	assert_int_equal(smp.sint, 0);
	assert_false(smp.flags & SMP_F_MAY_CHANGE);
}

static void truncated(void **state)
{
	static const char connect[] = "\x10\x1a\x00\x04MQTT\x05\xc2\x00\x3c\x03\x21\x00\x14"
				      "\x00\x02id\x00\x02me\x00\x02pw";
	static const char order[] = "8=FIX.4.2\0019=15\00135=D\00149=A\00156=B\00110=189\001";

	load_ok("expr given,mqtt_is_valid");
	check_prefixes(connect, sizeof(connect) - 1);
	check_wrong("\xc0", 1);
	check_wrong("\x10\xff\xff\xff\xff", 5);
	load_ok("expr given,fix_is_valid");
	check_prefixes(order, sizeof(order) - 1);
	check_wrong("8=G", 3);
	check_wrong("8=FIX.4.2\0019=5\00149=A\001", 19);
}

/* Bytes, of which a 0 does not end a text. */
static void put(char *to, const char *bytes, size_t len)
{
	memcpy(to, bytes, len);
}

/* 100 levels of groups, of messages; a length beyond everything; a path as long as can be. */
static void hostile(void **state)
{
	char bytes[4096];
	struct sample smp;

	load_ok("expr given,protobuf(2)");
	memset(bytes, 0x0b, 100);
	memset(bytes + 100, 0x0c, 100);
	put(bytes + 200, "\x10\x05", 2);
	set_payload(bytes, 202);
	assert_false(eval_payload(&smp)); /* 64 at most */
	memset(bytes + 64, 0x0c, 64);
	put(bytes + 128, "\x10\x05", 2);
	set_payload(bytes, 130);
	assert_true(eval_payload(&smp));
	set_payload("\x0b\x14\x10\x05", 4);
	assert_false(eval_payload(&smp)); /* the end of another group */
	set_payload("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	assert_false(eval_payload(&smp));
	set_payload("\x02\x00\x10\x05", 4);
	assert_false(eval_payload(&smp)); /* there is no field 0 */

	/* field 1 sixteen levels deep, each with a sibling in front that leads nowhere */
	load_ok("expr given,protobuf(1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1,int32)");
	put(bytes, "\x08\x2a", 2);
	for (unsigned i = 0, len = 2; i < 15; i++) {
		memmove(bytes + 4, bytes, len);
		put(bytes, "\x0a\x00\x0a", 3);
		bytes[3] = (char)len;
		len += 4;
		set_payload(bytes, len);
	}
	assert_true(eval_payload(&smp));
	assert_int_equal(smp.sint, 42);
	load_ok("expr given,ungrpc(1)");
	set_payload("\x02\x00\x00\x00\x00", 5);
	assert_false(eval_payload(&smp));
	set_payload("\x00\xff\xff\xff\xff\x08\x01", 7);
	assert_false(eval_payload(&smp));
}

static void refusals(void **state)
{
	static const struct {
		const char *conv, *message;
	} cases[] = {
		{ "protobuf(0)",
			"expected numbers of fields from 1 to 536870911 such as 48.59.1, got '0'" },
		{ "protobuf(1.)",
			"expected numbers of fields from 1 to 536870911 such as 48.59.1, got ''" },
		{ "protobuf(536870912)", "expected numbers of fields from 1 to 536870911 such as "
					 "48.59.1, got '536870912'" },
		{ "protobuf(1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1)", "a path has 16 fields at most" },
		{ "protobuf(1,int23)", "'int23' is no type of a field; did you mean 'int32'?" },
		{ "ungrpc(1,string)", "'string' is no type of a field that is a number, such as "
				      "int32 or double; strings, bytes and messages need none" },
		{ "mqtt_field_value(publish,topic)",
			"expected the type 'connect' or 'connack', or its number, got 'publish'" },
		{ "mqtt_field_value(connect,usrname)",
			"connect has no field 'usrname'; did you mean 'username'?" },
		{ "mqtt_field_value(connack,username)", "connack has no field 'username'" },
		{ "mqtt_field_value(connect,36)", "connect has no property 36" },
		{ "mqtt_field_value(connect,38)", "user properties (38) are pairs of which there "
						  "may be many; they cannot be read" },
		{ "fix_tag_value(MsgTyp)", "'MsgTyp' is no tag; did you mean 'MsgType'?" },
		{ "fix_tag_value(0)", "expected a tag such as 35 or MsgType, got '0'" },
	};

	refused("expr given,mqtt_field_value(connect,usrname)",
		"t.cfg:2:37: error: in samples: converter 'mqtt_field_value': connect has no field "
		"'usrname'; did you mean 'username'?\n"
		"expr given,mqtt_field_value(connect,usrname)\n"
		"                                    ^~~~~~~\n");
	for (size_t i = 0; i < LB_ARRAY_LEN(cases); i++) {
		char text[256];

		snprintf(text, sizeof(text), "expr given,%s", cases[i].conv);
		if (load(text) == 0)
			fail_msg("%s: was taken", text);
		if (!strstr(fix.diag.text.ptr, cases[i].message))
			fail_msg("%s: %s", text, fix.diag.text.ptr);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(protobuf),
		cmocka_unit_test(mqtt),
		cmocka_unit_test(fix_messages),
		cmocka_unit_test(truncated),
		cmocka_unit_test(hostile),
		cmocka_unit_test(refusals),
	};

	fix_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
