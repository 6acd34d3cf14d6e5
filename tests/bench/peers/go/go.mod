// SPDX-License-Identifier: Apache-2.0
module decode

go 1.24

require github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream v1.7.26

require github.com/aws/smithy-go v1.28.8 // indirect
