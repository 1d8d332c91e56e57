-- Guests make a basket, put one unit of the hot record into it, and check out: three requests, each
-- made of the answer to the one before. Whichever connection is free sends what is furthest on.

local function call(method, path, token, body)
  local authorization = token and "Authorization: Basket " .. token .. "\r\n" or ""
  return method .. " /api/v1/baskets" .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    .. "Content-Type: application/json\r\n" .. authorization
    .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
end

local make = call("POST", "", nil, '{"currency":"EUR"}')
local one = '{"variant_id":1,"quantity":1}'
local guest = '{"email":"guest%s@example.org","address":{"name":"A Guest","line1":"Rua da Lapa 1",'
  .. '"city":"Porto","postal_code":"4000-001","country":"PT"},"gateway":"manual"}'

local tokens, lines, checkouts = {}, {}, {}

function request()
  return table.remove(checkouts) or table.remove(lines) or make
end

function response(status, headers, body)
  if status == 200 then
    local id = body:match('^{"id":(%d+)')
    checkouts[#checkouts + 1] =
      call("POST", "/" .. id .. "/checkout", tokens[id], guest:format(id))
    tokens[id] = nil
    return
  end
  local id, token = body:match('^{"id":(%d+),"token":"([^"]+)"')
  if id then
    tokens[id] = token
    lines[#lines + 1] = call("PUT", "/" .. id .. "/lines", token, one)
  end
end
