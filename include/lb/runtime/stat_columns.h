/* SPDX-License-Identifier: Apache-2.0 */
/* Names, order and tags of the columns of 'show stat' and the fields of 'show info': tables for
 * <lb/runtime/stats.h>. */
#ifndef LB_RUNTIME_STAT_COLUMNS_H
#define LB_RUNTIME_STAT_COLUMNS_H

/*
 * X(identifier, name, tags, description). Tags: origin (Metric, Status, Key, Config, Product),
 * nature (Counter, Gauge, Limit, Max, miN, Rate, Duration, Age, Time, Name, Output, average) and
 * scope (Cluster, Process, Service, sYstem).
 */
#define STAT_COLUMNS(X)                                                                            \
	X(PXNAME, "pxname", "KNS", "name of the proxy")                                            \
	X(SVNAME, "svname", "KNS", "FRONTEND, BACKEND, or the name of the server or listener")     \
	X(QCUR, "qcur", "MGP", "requests waiting in the queue now")                                \
	X(QMAX, "qmax", "MMP", "most requests that waited in the queue at once")                   \
	X(SCUR, "scur", "MGP", "sessions in progress")                                             \
	X(SMAX, "smax", "MMP", "most sessions in progress at once")                                \
	X(SLIM, "slim", "CLP", "limit of sessions")                                                \
	X(STOT, "stot", "MCP", "sessions since the start")                                         \
	X(BIN, "bin", "MCP", "bytes received from clients")                                        \
	X(BOUT, "bout", "MCP", "bytes sent to clients")                                            \
	X(DREQ, "dreq", "MCP", "requests denied by rules")                                         \
	X(DRESP, "dresp", "MCP", "responses denied by rules")                                      \
	X(EREQ, "ereq", "MCP", "invalid or incomplete requests")                                   \
	X(ECON, "econ", "MCP", "failed attempts to connect to a server")                           \
	X(ERESP, "eresp", "MCP", "invalid or incomplete responses")                                \
	X(WRETR, "wretr", "MCP", "attempts repeated on a server")                                  \
	X(WREDIS, "wredis", "MCP", "requests sent to another server after a failure")              \
	X(STATUS, "status", "SGP", "state: OPEN, STOP, PAUSED, UP, DOWN, MAINT...")                \
	X(WEIGHT, "weight", "MaP", "effective weight, or the sum of those of usable servers")      \
	X(ACT, "act", "SGP", "1: active server; backends: usable active servers")                  \
	X(BCK, "bck", "SGP", "1: backup server; backends: usable backup servers")                  \
	X(CHKFAIL, "chkfail", "MCP", "failed health checks")                                       \
	X(CHKDOWN, "chkdown", "MCP", "times it went from up to down")                              \
	X(LASTCHG, "lastchg", "MAP", "seconds since the last change of state")                     \
	X(DOWNTIME, "downtime", "MCP", "seconds it was down altogether")                           \
	X(QLIMIT, "qlimit", "CGS", "limit of the server's queue")                                  \
	X(PID, "pid", "KGP", "number of the process, always 1")                                    \
	X(IID, "iid", "KGS", "number of the proxy")                                                \
	X(SID, "sid", "KGS", "number of the server or listener in its proxy")                      \
	X(THROTTLE, "throttle", "MaP", "percentage reached in slow start")                         \
	X(LBTOT, "lbtot", "MCP", "times it was chosen by balancing")                               \
	X(TRACKED, "tracked", "CNS", "server whose state is followed")                             \
	X(TYPE, "type", "CGS", "0 frontend, 1 backend, 2 server, 3 listener")                      \
	X(RATE, "rate", "MRP", "sessions during the last second")                                  \
	X(RATE_LIM, "rate_lim", "CLP", "limit of new sessions per second")                         \
	X(RATE_MAX, "rate_max", "MMP", "most sessions in a second")                                \
	X(CHECK_STATUS, "check_status", "MOP", "result of the last health check")                  \
	X(CHECK_CODE, "check_code", "MOP", "status code of the last health check")                 \
	X(CHECK_DURATION, "check_duration", "MDP", "milliseconds the last health check took")      \
	X(HRSP_1XX, "hrsp_1xx", "MCP", "responses of status 100 to 199")                           \
	X(HRSP_2XX, "hrsp_2xx", "MCP", "responses of status 200 to 299")                           \
	X(HRSP_3XX, "hrsp_3xx", "MCP", "responses of status 300 to 399")                           \
	X(HRSP_4XX, "hrsp_4xx", "MCP", "responses of status 400 to 499")                           \
	X(HRSP_5XX, "hrsp_5xx", "MCP", "responses of status 500 to 599")                           \
	X(HRSP_OTHER, "hrsp_other", "MCP", "responses of any other status")                        \
	X(HANAFAIL, "hanafail", "MCP", "failures seen in traffic that count as failed checks")     \
	X(REQ_RATE, "req_rate", "MRP", "requests during the last second")                          \
	X(REQ_RATE_MAX, "req_rate_max", "MMP", "most requests in a second")                        \
	X(REQ_TOT, "req_tot", "MCP", "requests since the start")                                   \
	X(CLI_ABRT, "cli_abrt", "MCP", "transfers that the client gave up")                        \
	X(SRV_ABRT, "srv_abrt", "MCP", "transfers that the server gave up")                        \
	X(COMP_IN, "comp_in", "MCP", "bytes given to the compressor")                              \
	X(COMP_OUT, "comp_out", "MCP", "bytes the compressor gave back")                           \
	X(COMP_BYP, "comp_byp", "MCP", "bytes that passed the compressor by")                      \
	X(COMP_RSP, "comp_rsp", "MCP", "responses that were compressed")                           \
	X(LASTSESS, "lastsess", "MAP", "seconds since the last session; -1: none yet")             \
	X(LAST_CHK, "last_chk", "MOP", "what the last health check saw")                           \
	X(LAST_AGT, "last_agt", "MOP", "what the last agent check saw")                            \
	X(QTIME, "qtime", "MaP", "average milliseconds in the queue")                              \
	X(CTIME, "ctime", "MaP", "average milliseconds to connect")                                \
	X(RTIME, "rtime", "MaP", "average milliseconds until the response head")                   \
	X(TTIME, "ttime", "MaP", "average milliseconds from start to end")                         \
	X(AGENT_STATUS, "agent_status", "MOP", "result of the last agent check")                   \
	X(AGENT_CODE, "agent_code", "MOP", "code of the last agent check, unused")                 \
	X(AGENT_DURATION, "agent_duration", "MDP", "milliseconds the last agent check took")       \
	X(CHECK_DESC, "check_desc", "MOP", "the result of the last health check in words")         \
	X(AGENT_DESC, "agent_desc", "MOP", "the result of the last agent check in words")          \
	X(CHECK_RISE, "check_rise", "CGS", "successes in a row that make it up")                   \
	X(CHECK_FALL, "check_fall", "CGS", "failures in a row that make it down")                  \
	X(CHECK_HEALTH, "check_health", "CGS", "health between 0 and rise + fall - 1")             \
	X(AGENT_RISE, "agent_rise", "CGS", "rise of the agent check")                              \
	X(AGENT_FALL, "agent_fall", "CGS", "fall of the agent check")                              \
	X(AGENT_HEALTH, "agent_health", "CGS", "health that the agent check reports")              \
	X(ADDR, "addr", "CGS", "address and port")                                                 \
	X(COOKIE, "cookie", "CNS", "value of its persistence cookie, or the cookie's name")        \
	X(MODE, "mode", "CGS", "tcp or http")                                                      \
	X(ALGO, "algo", "CGS", "balancing algorithm")                                              \
	X(CONN_RATE, "conn_rate", "MRP", "connections during the last second")                     \
	X(CONN_RATE_MAX, "conn_rate_max", "MMP", "most connections in a second")                   \
	X(CONN_TOT, "conn_tot", "MCP", "connections since the start")                              \
	X(INTERCEPTED, "intercepted", "MCP", "requests answered here: return, redirect, services") \
	X(DCON, "dcon", "MCP", "connections denied by rules")                                      \
	X(DSES, "dses", "MCP", "sessions denied by rules")                                         \
	X(WREW, "wrew", "MCP", "failed rewrites of messages")                                      \
	X(CONNECT, "connect", "MCP", "attempts to connect")                                        \
	X(REUSE, "reuse", "MCP", "requests on a connection used before")                           \
	X(CACHE_LOOKUPS, "cache_lookups", "MCP", "lookups in the cache")                           \
	X(CACHE_HITS, "cache_hits", "MCP", "answers from the cache")                               \
	X(SRV_ICUR, "srv_icur", "MGP", "idle connections kept")                                    \
	X(SRC_ILIM, "src_ilim", "MLP", "limit of idle connections")                                \
	X(QTIME_MAX, "qtime_max", "MMP", "longest milliseconds in the queue")                      \
	X(CTIME_MAX, "ctime_max", "MMP", "longest milliseconds to connect")                        \
	X(RTIME_MAX, "rtime_max", "MMP", "longest milliseconds until the response head")           \
	X(TTIME_MAX, "ttime_max", "MMP", "longest milliseconds from start to end")                 \
	X(EINT, "eint", "MCP", "internal errors")                                                  \
	X(IDLE_CONN_CUR, "idle_conn_cur", "MGP", "idle connections not known to be safe yet")      \
	X(SAFE_CONN_CUR, "safe_conn_cur", "MGP", "idle connections known to be safe")              \
	X(USED_CONN_CUR, "used_conn_cur", "MGP", "connections in use")                             \
	X(NEED_CONN_EST, "need_conn_est", "MGP", "connections estimated to be needed")             \
	X(UWEIGHT, "uweight", "MaP", "weight as configured or set")                                \
	X(AGG_SERVER_STATUS, "agg_server_status", "MGP", "servers per state, metrics only")        \
	X(AGG_SERVER_CHECK_STATUS, "agg_server_check_status", "MGP",                               \
		"servers per state, metrics only, older name")                                     \
	X(AGG_CHECK_STATUS, "agg_check_status", "MGP", "servers per check result, metrics only")   \
	X(SRID, "srid", "KGS", "revision of the server's number")                                  \
	X(SESS_OTHER, "sess_other", "MCP", "sessions of no known protocol")                        \
	X(H1SESS, "h1sess", "MCP", "HTTP/1 sessions")                                              \
	X(H2SESS, "h2sess", "MCP", "HTTP/2 sessions")                                              \
	X(H3SESS, "h3sess", "MCP", "HTTP/3 sessions")                                              \
	X(REQ_OTHER, "req_other", "MCP", "requests of no known protocol")                          \
	X(H1REQ, "h1req", "MCP", "HTTP/1 requests")                                                \
	X(H2REQ, "h2req", "MCP", "HTTP/2 requests")                                                \
	X(H3REQ, "h3req", "MCP", "HTTP/3 requests")                                                \
	X(PROTO, "proto", "COS", "protocol of the listener")                                       \
	X(PRIV_IDLE_CUR, "priv_idle_cur", "MGP", "idle connections bound to one client")           \
	X(REQBIN, "reqbin", "MCP", "bytes of requests received")                                   \
	X(REQBOUT, "reqbout", "MCP", "bytes of requests sent on")                                  \
	X(RESBIN, "resbin", "MCP", "bytes of responses received")                                  \
	X(RESBOUT, "resbout", "MCP", "bytes of responses sent on")                                 \
	X(CACHE_HINT_HITS, "cache_hint_hits", "MCP", "cache hits found by a hint")

/* X(identifier, position, name, tags, description) */
#define INFO_FIELDS(X)                                                                             \
	X(NAME, 0, "Name", "POS", "name of the program")                                           \
	X(VERSION, 1, "Version", "POS", "language level and version")                              \
	X(RELEASE_DATE, 2, "Release_date", "POS", "date of the version")                           \
	X(NBTHREAD, 3, "Nbthread", "CGS", "worker threads")                                        \
	X(NBPROC, 4, "Nbproc", "CGS", "processes, always 1")                                       \
	X(PROCESS_NUM, 5, "Process_num", "KGP", "number of this process, always 1")                \
	X(PID, 6, "Pid", "SGP", "the system's number of this process")                             \
	X(UPTIME, 7, "Uptime", "MDP", "time since the start in words")                             \
	X(UPTIME_SEC, 8, "Uptime_sec", "MDP", "seconds since the start")                           \
	X(MEMMAX_MB, 9, "Memmax_MB", "CLP", "limit of memory in MB (-m); 0: none")                 \
	X(POOL_ALLOC_MB, 10, "PoolAlloc_MB", "MGP", "memory of pools in MB")                       \
	X(POOL_USED_MB, 11, "PoolUsed_MB", "MGP", "memory of pools in use in MB")                  \
	X(POOL_FAILED, 12, "PoolFailed", "MCP", "failed allocations from pools")                   \
	X(ULIMIT_N, 13, "Ulimit-n", "CLP", "descriptors the process may open")                     \
	X(MAXSOCK, 14, "Maxsock", "CLP", "sockets the process may open")                           \
	X(MAXCONN, 15, "Maxconn", "CLP", "client connections allowed at once")                     \
	X(HARD_MAXCONN, 16, "Hard_maxconn", "CLP", "highest value maxconn can be set to")          \
	X(CURR_CONN, 17, "CurrConns", "MGP", "client connections now")                             \
	X(CUM_CONN, 18, "CumConns", "MCP", "client connections since the start")                   \
	X(CUM_REQ, 19, "CumReq", "MCP", "requests since the start")                                \
	X(MAX_SSL_CONNS, 20, "MaxSslConns", "MMP", "limit of TLS connections; 0: none")            \
	X(CURR_SSL_CONNS, 21, "CurrSslConns", "MGP", "TLS connections now")                        \
	X(CUM_SSL_CONNS, 22, "CumSslConns", "MCP", "TLS connections since the start")              \
	X(MAXPIPES, 23, "Maxpipes", "CLP", "limit of pipes for splicing; 0: none")                 \
	X(PIPES_USED, 24, "PipesUsed", "MGP", "pipes in use")                                      \
	X(PIPES_FREE, 25, "PipesFree", "MGP", "pipes kept for use")                                \
	X(CONN_RATE, 26, "ConnRate", "MRP", "client connections during the last second")           \
	X(CONN_RATE_LIMIT, 27, "ConnRateLimit", "CLP", "limit of new connections per second")      \
	X(MAX_CONN_RATE, 28, "MaxConnRate", "MMP", "most connections in a second")                 \
	X(SESS_RATE, 29, "SessRate", "MRP", "sessions during the last second")                     \
	X(SESS_RATE_LIMIT, 30, "SessRateLimit", "CLP", "limit of new sessions per second")         \
	X(MAX_SESS_RATE, 31, "MaxSessRate", "MRP", "most sessions in a second")                    \
	X(SSL_RATE, 32, "SslRate", "MRP", "TLS connections during the last second")                \
	X(SSL_RATE_LIMIT, 33, "SslRateLimit", "CLP", "limit of new TLS connections per second")    \
	X(MAX_SSL_RATE, 34, "MaxSslRate", "MMP", "most TLS connections in a second")               \
	X(SSL_FE_KEY_RATE, 35, "SslFrontendKeyRate", "MGP", "client handshakes in a second")       \
	X(SSL_FE_MAX_KEY_RATE, 36, "SslFrontendMaxKeyRate", "MMP", "most of them in a second")     \
	X(SSL_FE_REUSE_PCT, 37, "SslFrontendSessionReuse_pct", "MGP", "handshakes saved, percent") \
	X(SSL_BE_KEY_RATE, 38, "SslBackendKeyRate", "MRP", "server handshakes in a second")        \
	X(SSL_BE_MAX_KEY_RATE, 39, "SslBackendMaxKeyRate", "MMP", "most of them in a second")      \
	X(SSL_CACHE_LOOKUPS, 40, "SslCacheLookups", "MCP", "lookups of TLS sessions")              \
	X(SSL_CACHE_MISSES, 41, "SslCacheMisses", "MCP", "TLS sessions not found")                 \
	X(COMP_BPS_IN, 42, "CompressBpsIn", "MRP", "bytes given to the compressor in a second")    \
	X(COMP_BPS_OUT, 43, "CompressBpsOut", "MRP", "bytes it gave back in a second")             \
	X(COMP_BPS_LIM, 44, "CompressBpsRateLim", "CLP", "limit of these")                         \
	X(TASKS, 47, "Tasks", "MGP", "timers and streams of all threads")                          \
	X(RUN_QUEUE, 48, "Run_queue", "MGP", "tasks ready to run")                                 \
	X(IDLE_PCT, 49, "Idle_pct", "MaP", "percentage of the last second that workers slept")     \
	X(NODE, 50, "node", "COS", "name of the node")                                             \
	X(DESCRIPTION, 51, "description", "COS", "description of the node")                        \
	X(STOPPING, 52, "Stopping", "MGP", "1: the process is stopping")                           \
	X(JOBS, 53, "Jobs", "MGP", "connections and listeners that keep the process alive")        \
	X(UNSTOPPABLE_JOBS, 54, "Unstoppable Jobs", "MGP", "those that a soft stop does not end")  \
	X(LISTENERS, 55, "Listeners", "MGP", "listeners that accept")                              \
	X(ACTIVE_PEERS, 56, "ActivePeers", "MGP", "peers in sync")                                 \
	X(CONNECTED_PEERS, 57, "ConnectedPeers", "MGP", "peers connected")                         \
	X(DROPPED_LOGS, 58, "DroppedLogs", "MGP", "log lines that could not be sent")              \
	X(BUSY_POLLING, 59, "BusyPolling", "MGP", "1: threads poll without sleeping")              \
	X(FAILED_RESOLUTIONS, 60, "FailedResolutions", "MGP", "names that were not resolved")      \
	X(TOTAL_BYTES_OUT, 61, "TotalBytesOut", "MGP", "bytes sent since the start")               \
	X(TOTAL_SPLICED, 62, "TotalSplicedBytesOut", "MGP", "bytes sent through pipes")            \
	X(BYTES_OUT_RATE, 63, "BytesOutRate", "MRP", "bytes sent during the last second")          \
	X(DEBUG_COMMANDS, 64, "DebugCommandsIssued", "MGP", "debugging commands that were used")   \
	X(CUM_LOG_MSGS, 65, "CumRecvLogs", "MCP", "log lines received to be forwarded")            \
	X(BUILD_INFO, 66, "Build info", "POS", "version and compiler")                             \
	X(MEMMAX_BYTES, 67, "Memmax_bytes", "CLP", "limit of memory in bytes (-m); 0: none")       \
	X(POOL_ALLOC_BYTES, 68, "PoolAlloc_bytes", "MGP", "memory of pools")                       \
	X(POOL_USED_BYTES, 69, "PoolUsed_bytes", "MGP", "memory of pools in use")                  \
	X(START_TIME_SEC, 70, "Start_time_sec", "MDP", "time of the start, seconds since 1970")    \
	X(TAINTED, 71, "Tainted", "SGP", "bits for unsafe features in use")                        \
	X(TOTAL_WARNINGS, 72, "TotalWarnings", "MCP", "warnings of the last load")                 \
	X(MAXCONN_REACHED, 73, "MaxconnReached", "MCP", "times maxconn stopped accepting")         \
	X(BOOTTIME_MS, 74, "BootTime_ms", "MDP", "milliseconds the start took")                    \
	X(NICED_TASKS, 75, "Niced_tasks", "MGP", "tasks with a nice value ready to run")           \
	X(CURR_STRM, 76, "CurrStreams", "MGP", "streams in progress")                              \
	X(CUM_STRM, 77, "CumStreams", "MCP", "streams since the start")                            \
	X(WARN_BLOCKED, 78, "BlockedTrafficWarnings", "MCP", "times a thread was stuck")           \
	X(PATTERNS_ADDED, 79, "PatternsAdded", "MCP", "patterns added since the start")            \
	X(PATTERNS_FREED, 80, "PatternsFreed", "MCP", "patterns freed since the start")            \
	X(NB_THREAD_GROUPS, 81, "NbThreadGroups", "CGS", "thread groups")

#endif
