/*
 * words [COUNT]: C++ without exceptions: makes words, counts them in a map, sorts them in a vector through virtual
 * functions and lambdas, joins strings, and lets destructors run at the end.
 */
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
#include "checksum.h"

namespace {

struct Goodbye {
  ~Goodbye() { std::puts("destroyed"); }
} goodbye;

struct Order {
  virtual ~Order() = default;
  virtual bool before(const std::string &a, const std::string &b) const = 0;
};

struct Alphabetic final : Order {
  bool before(const std::string &a, const std::string &b) const override { return a < b; }
};

struct ByLength final : Order {
  bool before(const std::string &a, const std::string &b) const override {
    return a.size() != b.size() ? a.size() < b.size() : a > b;
  }
};

std::string make_word(uint64_t &state) {
  static const char *const SYLLABLES[] = {"go", "d", "wit", "ta", "las", "ka", "man", "ia"};
  std::string word;
  for (uint64_t n = random_next(&state) % 4 + 1; n > 0; n--) word += SYLLABLES[random_next(&state) % 8];
  return word;
}

}  // namespace

int main(int argc, char **argv) {
  long count = size_argument(argc, argv, 1, 400);
  uint64_t state = 99, sum = CHECKSUM_START;
  std::map<std::string, long> counted;
  std::unordered_map<std::string, std::vector<long>> places;
  for (long i = 0; i < count; i++) {
    std::string word = make_word(state);
    counted[word]++;
    places[word].push_back(i);
  }
  std::vector<std::string> words;
  for (const auto &[word, n] : counted) {
    if (n != static_cast<long>(places[word].size())) return 1;
    words.push_back(word);
  }
  std::vector<std::unique_ptr<Order>> orders;
  orders.push_back(std::make_unique<Alphabetic>());
  orders.push_back(std::make_unique<ByLength>());
  for (const auto &order : orders) {
    std::function<bool(const std::string &, const std::string &)> before = [&](const auto &a, const auto &b) {
      return order->before(a, b);
    };
    std::stable_sort(words.begin(), words.end(), before);
    std::string joined;
    for (const auto &word : words) joined += word + ":" + std::to_string(counted[word]) + " ";
    sum = checksum_add(sum, joined.data(), joined.size());
    std::printf("%zu words, first %s, last %s\n", words.size(), words.front().c_str(), words.back().c_str());
  }
  checksum_print("words", sum);
  return 0;
}
