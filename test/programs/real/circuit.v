// A small processor of 16 bits with a multiplier and a bank of registers: something to synthesise.
module alu (input [15:0] a, input [15:0] b, input [2:0] op, output reg [15:0] y);
  always @* case (op)
    3'd0: y = a + b;
    3'd1: y = a - b;
    3'd2: y = a & b;
    3'd3: y = a | b;
    3'd4: y = a ^ b;
    3'd5: y = a * b;
    3'd6: y = a << b[3:0];
    default: y = a < b;
  endcase
endmodule

module circuit (input clock, input reset, input [15:0] instruction, output [15:0] out, output reg [15:0] pc);
  reg [15:0] bank [0:7];
  wire [2:0] op = instruction[15:13];
  wire [2:0] to = instruction[12:10];
  wire [2:0] left = instruction[9:7];
  wire [2:0] right = instruction[6:4];
  wire [15:0] a = bank[left];
  wire [15:0] b = instruction[3] ? {13'd0, instruction[2:0]} : bank[right];
  wire [15:0] y;
  alu unit (.a(a), .b(b), .op(op), .y(y));
  assign out = y;
  integer i;
  always @(posedge clock)
    if (reset) begin
      pc <= 0;
      for (i = 0; i < 8; i = i + 1) bank[i] <= 0;
    end else begin
      bank[to] <= y;
      pc <= (to == 7) ? y : pc + 1;
    end
endmodule
