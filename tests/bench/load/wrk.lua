-- What wrk sends, chosen by its last argument: "keep" (the default), "pipelined" (by 16) or "close"; and one line of
-- figures that wgi-bench reads.

function init(arguments)
  local mode = arguments[1]
  if mode == "close" then
    wrk.headers["Connection"] = "close"
  end
  if mode == "pipelined" then
    local batch = string.rep(wrk.format(), 16)
    wrk.format = function() return batch end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d\n",
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
