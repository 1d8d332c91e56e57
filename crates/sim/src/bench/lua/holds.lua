-- Guests put one more unit of the hot record into their baskets, one basket after the other: every
-- request takes one new unit. Set before: first, baskets, threads, token_prefix, token_digits.

local started = 0

function setup(thread)
  thread:set("part", started)
  started = started + 1
end

-- Everything but the quantity is made beforehand. Quantities are padded with blanks, so that all
-- bodies are of one length.
function init()
  local line = '{"variant_id":1,"quantity":'
  local token = token_prefix .. "%0" .. token_digits .. "d"
  heads = {}
  for n = first + part, first + baskets - 1, threads do
    heads[#heads + 1] = table.concat({
      "PUT /api/v1/baskets/" .. n .. "/lines HTTP/1.1",
      "Host: 127.0.0.1",
      "Content-Type: application/json",
      "Authorization: Basket " .. token:format(n),
      "Content-Length: " .. #line + 6,
      "",
      line,
    }, "\r\n")
  end
  at = 0
  quantity = 1
  tail = ("%5d}"):format(quantity)
end

function request()
  at = at + 1
  if at > #heads then
    at = 1
    quantity = quantity + 1
    tail = ("%5d}"):format(quantity)
  end
  return heads[at] .. tail
end
