-- work.lua [SIZE [PART...]]: what scripts do, one part after the other or only those that are named, each with a checksum
-- of what it has made. SIZE 1 is some milliseconds. Everything is integers below 2^53 or text: the output is the same on every machine.
local size = tonumber(arg[1] or 1)
local wanted = {}
for i = 2, #arg do wanted[arg[i]] = true end

local state = 12345
local function random(below)
  state = (state * 1103515245 + 12345) % 2147483648
  return state % below
end

local function add(sum, value) return (sum * 31 + value) % 1000000007 end

local parts = {}

-- Tables as arrays, and the sort of the library with a function to compare by.
parts[#parts + 1] = { "sort", function()
  local list, sum = {}, 0
  for i = 1, 3000 * size do list[i] = random(1000000) end
  table.sort(list, function(a, b) return a > b end)
  for i = 1, #list, 7 do sum = add(sum, list[i]) end
  return sum
end }

-- Text: patterns, replacement, building.
parts[#parts + 1] = { "text", function()
  local words, sum = {}, 0
  for i = 1, 1500 * size do words[i] = string.format("%s%d", string.char(97 + random(26)), random(500)) end
  local text = table.concat(words, " ")
  local count = {}
  for word in text:gmatch("%a%d+") do count[word] = (count[word] or 0) + 1 end
  local changed = text:gsub("(%a)(%d)", "%2%1"):upper():reverse()
  for i = 1, #changed, 13 do sum = add(sum, changed:byte(i)) end
  local keys = {}
  for word in pairs(count) do keys[#keys + 1] = word end
  table.sort(keys)
  for _, word in ipairs(keys) do sum = add(sum, #word * count[word]) end
  return sum
end }

-- Objects: methods through metatables, inheritance, closures.
local Shape = {}
Shape.__index = Shape
function Shape.new(class, side) return setmetatable({ side = side }, class) end
function Shape:area() return 0 end
local Square = setmetatable({}, Shape)
Square.__index = Square
function Square:area() return self.side * self.side end
local Cube = setmetatable({}, Square)
Cube.__index = Cube
function Cube:area() return 6 * Square.area(self) end
parts[#parts + 1] = { "objects", function()
  local shapes, sum = {}, 0
  local classes = { Shape, Square, Cube }
  for i = 1, 300 do shapes[i] = Shape.new(classes[i % 3 + 1], i) end
  local function total()
    local all = 0
    for _, shape in ipairs(shapes) do all = all + shape:area() end
    return all
  end
  for round = 1, 40 * size do sum = add(sum, total() + round) end
  return sum
end }

-- Coroutines: C frames and Lua frames take turns.
parts[#parts + 1] = { "coroutines", function()
  local sum = 0
  local function permute(list, n)
    n = n or #list
    if n <= 1 then coroutine.yield(list) end
    for i = 1, n do
      list[n], list[i] = list[i], list[n]
      permute(list, n - 1)
      list[n], list[i] = list[i], list[n]
    end
  end
  for _ = 1, size do
    for list in coroutine.wrap(function() permute({ 1, 2, 3, 4, 5, 6 }) end) do sum = add(sum, list[1] * 6 + list[6]) end
  end
  return sum
end }

-- Errors: setjmp and longjmp, through frames of both kinds.
parts[#parts + 1] = { "errors", function()
  local sum = 0
  local function fail(depth)
    if depth == 0 then error({ code = random(100) }) end
    return fail(depth - 1) + 1
  end
  for i = 1, 400 * size do
    local good, problem = pcall(fail, i % 9)
    sum = add(sum, good and 1 or problem.code)
    local _, text = xpcall(function() return nil + i end, function(message) return #tostring(message) end)
    sum = add(sum, text)
  end
  return sum
end }

-- Recursion, with a table that remembers by way of a closure.
parts[#parts + 1] = { "queens", function()
  local sum = 0
  local function place(n, row, columns, up, down)
    if row > n then return 1 end
    local found = 0
    for column = 1, n do
      local a, b = row + column, row - column + n
      if not (columns[column] or up[a] or down[b]) then
        columns[column], up[a], down[b] = true, true, true
        found = found + place(n, row + 1, columns, up, down)
        columns[column], up[a], down[b] = nil, nil, nil
      end
    end
    return found
  end
  for _ = 1, size do sum = add(sum, place(6, 1, {}, {}, {})) end
  return sum
end }

-- Garbage: short-lived trees, with finalisers and weak tables.
parts[#parts + 1] = { "garbage", function()
  local finalised, sum = 0, 0
  local weak = setmetatable({}, { __mode = "v" })
  local function tree(depth)
    if depth == 0 then return {} end
    return { tree(depth - 1), tree(depth - 1) }
  end
  local function count(node) return node[1] and 1 + count(node[1]) + count(node[2]) or 1 end
  for i = 1, 12 * size do
    weak[i] = setmetatable({ tree(7) }, { __gc = function() finalised = finalised + 1 end })
    sum = add(sum, count(tree(6)))
  end
  collectgarbage()
  for _ = 1, 12 * size do sum = add(sum, 1) end
  return add(sum, finalised)
end }

local sum = 0
for _, part in ipairs(parts) do
  if #arg < 2 or wanted[part[1]] then
    local made = part[2]()
    print(string.format("%-10s %d", part[1], made))
    sum = add(sum, made)
  end
end
print("lua checksum " .. string.format("%d", sum))
