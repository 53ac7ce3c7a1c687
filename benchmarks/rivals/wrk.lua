-- What wrk posts: the body behind `--`.
wrk.method = "POST"
wrk.path = "/v2/event"
wrk.headers["Authorization"] = "Bearer double"
wrk.headers["Content-Type"] = "application/json"

function init(arguments)
    wrk.body = arguments[1]
end
