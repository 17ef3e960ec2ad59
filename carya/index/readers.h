#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace carya {

// Readers that look at what one writer publishes and goes on changing, without waiting for it.
//
// A reader works in a Session, which notes the epoch it began in.  What the writer takes away from
// the published state (an old version, the slots of dead nodes) is retired with the epoch of that
// moment, and free for other use when every session of that epoch or before has ended (epoch-based
// reclamation: Fraser 2004).  Each session owns a Scratch of its own, reused by the next.
template <class State, class Scratch>
class Readers {
  struct Seat {
    std::atomic<uint64_t> epoch = kIdle;
    Scratch scratch;
  };

 public:
  class Session {
   public:
    explicit Session(Readers& readers) : readers_(readers), seat_(readers.take_seat()) {
      // The order of these two makes a retired state invisible to whoever is not counted yet.
      seat_->epoch.store(readers.epoch_.load());
      state_ = readers.published_.load();
    }
    ~Session() {
      seat_->epoch.store(kIdle);
      readers_.free_seat(seat_);
    }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    const State& state() const noexcept { return *state_; }
    Scratch& scratch() const noexcept { return seat_->scratch; }

   private:
    Readers& readers_;
    Seat* seat_;
    const State* state_;
  };

  // The rest is for the one writer.
  void publish(std::unique_ptr<const State> state) {
    published_.store(state.get());
    if (current_ != nullptr) retired_.emplace_back(retire(), std::move(current_));
    current_ = std::move(state);
    std::erase_if(retired_, [&](const auto& old) { return is_free(old.first); });
  }
  // What nobody can reach from the published state is retired now; the epoch to ask is_free() for.
  uint64_t retire() { return epoch_.fetch_add(1); }
  bool is_free(uint64_t epoch) {
    std::lock_guard lock(mutex_);
    for (const auto& seat : seats_) {
      if (seat->epoch.load() <= epoch) return false;
    }
    return true;
  }

 private:
  static constexpr uint64_t kIdle = ~uint64_t{0};
  Seat* take_seat() {
    std::lock_guard lock(mutex_);
    if (free_seats_.empty()) {
      seats_.push_back(std::make_unique<Seat>());
      return seats_.back().get();
    }
    Seat* const seat = free_seats_.back();
    free_seats_.pop_back();
    return seat;
  }
  void free_seat(Seat* seat) {
    std::lock_guard lock(mutex_);
    free_seats_.push_back(seat);
  }
  std::mutex mutex_;  // of the seats: held for some nanoseconds, never while anything is computed
  std::vector<std::unique_ptr<Seat>> seats_;
  std::vector<Seat*> free_seats_;
  std::atomic<uint64_t> epoch_ = 1;
  std::atomic<const State*> published_ = nullptr;
  std::unique_ptr<const State> current_;
  std::vector<std::pair<uint64_t, std::unique_ptr<const State>>> retired_;
};

}  // namespace carya
