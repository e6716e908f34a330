#include "server/status_mapping.h"

#include <cerrno>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/error_info.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "sandbox/base/errno_status.h"
#include "server/status_details.h"

namespace cordon::server {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

TEST(StatusMappingTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(StatusMappingTest, CodesOfTheContractStay) {
  EXPECT_EQ(ToGrpcStatus(absl::CancelledError("")).error_code(),
            grpc::StatusCode::CANCELLED);
  EXPECT_EQ(ToGrpcStatus(absl::UnavailableError("")).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ToGrpcStatus(absl::UnimplementedError("")).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(StatusMappingTest, AnyOtherCodeIsOurMistake) {
  EXPECT_EQ(ToGrpcStatus(absl::NotFoundError("x")).error_code(),
            grpc::StatusCode::INTERNAL);
}

TEST(StatusMappingTest, AFailedStepCarriesStepAndErrno) {
  const grpc::Status status =
      ToGrpcStatus(sandbox::ErrnoToStatus(ENOSPC, "mkdirat"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  const google::rpc::Status details = DetailsOf(status);
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "SANDBOX_STEP_FAILED");
  EXPECT_EQ(info.domain(), "cordon");
  EXPECT_EQ(info.metadata().at("step"), "mkdirat");
  EXPECT_EQ(info.metadata().at("errno"), std::to_string(ENOSPC));
}

TEST(StatusMappingTest, DetailsTravelAlong) {
  absl::Status full = absl::ResourceExhaustedError("the queue is full");
  AttachRetryInfo(full, absl::Milliseconds(1500));
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(full));
  EXPECT_EQ(details.message(), "the queue is full");
  ASSERT_EQ(details.details_size(), 1);
  google::rpc::RetryInfo info;
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.retry_delay().seconds(), 1);
  EXPECT_EQ(info.retry_delay().nanos(), 500000000);
}

TEST(StatusDetailsTest, ManyViolationsStayShort) {
  FieldViolations violations;
  for (int i = 0; i < 1000; ++i) {
    violations.Add("files[" + std::to_string(i) + "].path", "is absolute");
  }
  const grpc::Status status = ToGrpcStatus(violations.ToStatus());
  EXPECT_LT(status.error_details().size() + status.error_message().size(),
            8192u);
  google::rpc::BadRequest bad;
  ASSERT_TRUE(DetailsOf(status).details(0).UnpackTo(&bad));
  const auto& last = bad.field_violations(bad.field_violations_size() - 1);
  EXPECT_EQ(last.description(),
            "and " + std::to_string(1000 - (bad.field_violations_size() - 1)) +
                " more fields");
}

}  // namespace
}  // namespace cordon::server
