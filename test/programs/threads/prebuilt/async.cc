/*
 * What C++ has for threads: std::thread, futures, locks, conditions, barriers, latches, semaphores, atomics that wait,
 * thread_local objects. Usage: async [rounds] [threads]
 */
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

static unsigned long sum_of(const unsigned *from, const unsigned *to, int depth) {
  if (depth == 0 || to - from < 16) return std::accumulate(from, to, 0ul);
  const unsigned *middle = from + (to - from) / 2;
  auto half = std::async(std::launch::async, sum_of, from, middle, depth - 1);
  unsigned long rest = sum_of(middle, to, depth - 1);
  return rest + half.get();
}

/* Counts its own ends: one for each thread that has used it. */
static std::atomic<int> ended = 0;

struct Local {
  std::string name = "nobody";
  ~Local() { ended++; }
};

static thread_local Local local;

template <typename T> class Channel {
public:
  void put(T value) {
    std::unique_lock lock(mutex);
    room.wait(lock, [this] { return values.size() < 8; });
    values.push_back(std::move(value));
    some.notify_one();
  }

  T take() {
    std::unique_lock lock(mutex);
    some.wait(lock, [this] { return !values.empty(); });
    T value = std::move(values.front());
    values.pop_front();
    room.notify_one();
    return value;
  }

private:
  std::mutex mutex;
  std::condition_variable some, room;
  std::deque<T> values;
};

int main(int argc, char **argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 100;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 4;

  std::vector<unsigned> numbers(static_cast<size_t>(rounds) * 100);
  unsigned random = 1;
  for (auto &number : numbers) number = (random = random * 1664525 + 1013904223) >> 16;
  std::printf("async %lu\n", sum_of(numbers.data(), numbers.data() + numbers.size(), 3));

  Channel<std::promise<std::string>> channel;
  std::vector<std::thread> all;
  const auto join = [&all] {
    for (auto &thread : all) thread.join();
    all.clear();
  };
  for (int i = 0; i < threads; i++) {
    all.emplace_back([&channel, i, rounds] {
      local.name = "thread " + std::to_string(i);
      for (int round = 0; round < rounds; round++) channel.take().set_value(std::to_string(round + i - i));
    });
  }
  long answers = 0;
  for (int i = 0; i < rounds * threads; i++) {
    std::promise<std::string> promise;
    auto answer = promise.get_future();
    channel.put(std::move(promise));
    answers += std::stol(answer.get());
  }
  join();
  std::printf("channel %ld, %d ended\n", answers, ended.load());

  std::once_flag once;
  std::shared_mutex shared;
  std::recursive_timed_mutex timed;
  std::counting_semaphore<4> permits(2);
  std::latch started(threads);
  std::atomic<int> stage = 0;
  int phases = 0, called = 0, left = 0, right = 0, unequal = 0, inside = 0, most = 0, later = 0;
  std::mutex mutex;
  std::barrier barrier(threads, [&phases]() noexcept { phases++; });
  for (int i = 0; i < threads; i++) {
    all.emplace_back([&, i] {
      started.arrive_and_wait();
      std::call_once(once, [&] { called++; });
      stage.wait(0);
      for (int round = 0; round < rounds; round++) {
        if ((round + i) % 4 == 0) {
          std::unique_lock lock(shared);
          left++;
          right++;
        } else {
          std::shared_lock lock(shared);
          if (left != right) unequal++;
        }
        permits.acquire();
        {
          std::scoped_lock both(mutex, timed);
          inside++;
          if (inside > most) most = inside;
          inside--;
        }
        permits.release();
        if (round % 10 == 0) barrier.arrive_and_wait();
        if (round % 50 == 0) {
          std::unique_lock lock(timed, std::chrono::seconds(100));
          std::this_thread::sleep_for(std::chrono::microseconds(200));
          later++;
        }
      }
    });
  }
  stage = 1;
  stage.notify_all();
  join();
  std::printf("locks %d %d, %d unequal, at most %d inside, %d later\n", left, right, unequal, most, later);
  std::printf("barrier %d, once %d\n", phases, called);
}
